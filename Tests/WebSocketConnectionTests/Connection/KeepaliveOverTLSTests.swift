import TestSupport
import Testing

@testable import WebSocketClient

/// Lets as many bytes through as the test allows.
private final class GatedStream: ByteStream {
    private struct State {
        var room = Int.max
        var isWaiting = false
    }

    private let lower: any ByteStream
    private let state = Locked(State())

    init(_ lower: any ByteStream) { self.lower = lower }

    func letPass(_ count: Int) { state.withLock { $0 = State(room: count) } }

    /// Returns once all of these bytes have passed and the writer waits for more room.
    func awaitFull() { while !state.withLock({ $0.isWaiting }) { pause(.milliseconds(1)) } }

    var descriptor: Int32 { lower.descriptor }
    var isSecure: Bool { lower.isSecure }
    var sentBytes: UInt64 { lower.sentBytes }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        try lower.read(into: buffer)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        let room = state.withLock { $0.room }
        guard room > 0 else { return .wouldBlock(.write) }
        let transfer = try lower.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
        if case .bytes(let count) = transfer, room < .max { state.withLock { $0.room -= count } }
        return transfer
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        while interest.contains(.write), state.withLock({ $0.room == 0 }) {
            state.withLock { $0.isWaiting = $0.room == 0 }
            if deadline.isPast { throw .timedOut(nil) }
            pause(.milliseconds(1))
        }
        return try lower.wait(for: interest, until: deadline)
    }

    func nudge() { lower.nudge() }
    func finishWriting() { lower.finishWriting() }

    func abort() {
        letPass(.max)
        lower.abort()
    }
}

@Suite("Keepalive over TLS", .blocking)
struct KeepaliveOverTLSTests {
    @Test("In a slow upload, all bytes that leave are progress, not only whole chunks of plaintext")
    func slowUpload() throws {
        let certificates = try Certificates.shared.get()
        let (near, far) = try makeStreamPair()
        let server = try TLSServer(
            certificateFile: certificates.server.certificate,
            keyFile: certificates.server.key
        )
        let reader = Background {
            let stream = try server.accept(over: far, until: .ample)
            while try stream.readSome(200_000) != nil {}
        }
        let gate = GatedStream(near)
        let client = try TLSStream.connect(
            over: gate,
            to: TLSPeer(name: "localhost", endpoint: "slow upload"),
            options: certificates.trusting,
            until: .ample
        )
        let sender = Sender(stream: client, role: .client, makeMaskingKey: nil, deflater: nil)
        gate.letPass(8_000)
        let upload = Background {
            sendFailure { () throws(SendFailure) in try sender.send(1 << 20) }
        }
        defer { client.abort() }

        func traffic() -> KeepaliveClock.Traffic {
            gate.awaitFull()
            while client.unacknowledgedBytes > 0 { pause(.milliseconds(1)) }
            return KeepaliveClock.Traffic(
                receivedBytes: 0,
                sentBytes: Int64(sender.sentBytes),
                unacknowledgedBytes: 0,
                hasUnsentBytes: true
            )
        }

        var now = Deadline.now
        var clock = KeepaliveClock(
            Keepalive(interval: .seconds(3600), timeout: .seconds(10)),
            now: now
        )
        clock.pinged(traffic(), now: now)
        // As long as a few hundred kilobytes take at less than one a second.
        for portion in 1...50 {
            gate.letPass(8_000)
            now = now.advanced(by: .seconds(10))
            let verdict = clock.look(traffic(), now: now)
            try #require(verdict == .nothing, "portion \(portion)")
        }
        now = now.advanced(by: .seconds(10))
        let verdict = clock.look(traffic(), now: now)
        #expect(verdict == .lost, "nothing has left since")

        gate.letPass(.max)
        #expect(try upload.join() == nil)
        client.abort()
        _ = try? reader.join()
    }
}
