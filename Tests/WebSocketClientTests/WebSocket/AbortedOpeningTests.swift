import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// A stream that calls a function whenever it has read something.
private final class ObservedStream: ByteStream {
    private let lower: any ByteStream
    private let didRead: @Sendable () -> Void

    init(_ lower: any ByteStream, didRead: @escaping @Sendable () -> Void) {
        self.lower = lower
        self.didRead = didRead
    }

    var descriptor: Int32 { lower.descriptor }
    var isSecure: Bool { lower.isSecure }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        let transfer = try lower.read(into: buffer)
        if case .bytes = transfer { didRead() }
        return transfer
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        try lower.write(bytes)
    }

    func wait(for interest: Interest, until deadline: Deadline) throws(TransportError) -> Interest {
        try lower.wait(for: interest, until: deadline)
    }

    func nudge() { lower.nudge() }
    func finishWriting() { lower.finishWriting() }
    func abort() { lower.abort() }
}

@Suite("Aborting while connecting", .blocking)
struct AbortedOpeningTests {
    @Test("An abort that comes with the handshake's last byte still ends the call")
    func lastMoment() throws {
        let stop = Promise<Void>()
        try withServer { _ in
            try stop.value()
        } run: { server in
            defer { stop.fulfil() }
            let socket = WebSocket()
            let error = failure {
                try socket.open(server.url()) { (plan, wakeUp) throws(TransportError) in
                    let stream = try Connector.connect(plan, wakeUp: wakeUp)
                    return ObservedStream(stream) { socket.abort() }
                }
            }
            #expect(error?.isAborted == true)
            #expect(!socket.isConnected)
            try socket.connect(to: server.url())
            #expect(socket.isConnected)
        }
    }
}
