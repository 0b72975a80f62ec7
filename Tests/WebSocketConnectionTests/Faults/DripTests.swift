import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Messages that arrive byte by byte", .blocking)
struct DripTests {
    enum Way: CaseIterable {
        case receive, receiveData, receiveFrame, forEachMessage
    }

    private func receive(_ socket: WebSocket, _ way: Way) throws -> [UInt8] {
        switch way {
        case .receive: return try socket.receive().bytes
        case .receiveData: return try socket.receiveData().payload
        case .receiveFrame: return try socket.receiveFrame().payload
        case .forEachMessage:
            var message: [UInt8] = []
            try socket.forEachMessage { _, bytes in
                message = bytes.withUnsafeBytes { Array($0) }
                return false
            }
            return message
        }
    }

    @Test(
        "None holds a call beyond its limit",
        arguments: Way.allCases,
        FaultPlan.Interference.allCases
    )
    func drip(way: Way, interference: FaultPlan.Interference) throws {
        let stream = FaultyStream(EchoPeer())
        let socket = WebSocket(options: ConnectOptions(timeout: .ample))
        try socket.open("ws://localhost/") { (_, _) throws(TransportError) in stream }
        let message = [UInt8](repeating: 7, count: 5000)
        try socket.send(binary: message)
        stream.begin(FaultPlan(pieceBytes: 1, interference: interference))
        socket.timeout = .zero
        var before = 0
        for _ in 0..<10 {
            let error = failure { try receive(socket, way) }
            #expect(error?.isReceiveTimeout == true, "\(String(describing: error))")
            let read = stream.progress.read
            #expect(read > before && read - before <= 200)
            before = read
        }
        socket.timeout = .ample
        // Frame by frame, the ping between the two halves is received too.
        var parts: [UInt8] = []
        let expected =
            way == .receiveFrame
            ? message[..<2500] + EchoPeer.ping + message[2500...] : message[...]
        while parts.count < expected.count { parts += try receive(socket, way) }
        #expect(parts[...] == expected)
    }

    @Test("Looking for a buffered frame takes a few reads, however little each of them brings")
    func drippingFrame() throws {
        let stream = DrippingStream(FaultyStream(EchoPeer()))
        let socket = WebSocket(options: ConnectOptions(timeout: .ample))
        try socket.open("ws://localhost/") { (_, _) throws(TransportError) in stream }
        try socket.send(binary: [UInt8](repeating: 7, count: 5000))
        stream.lower.begin(FaultPlan(pieceBytes: 1))
        #expect(socket.hasBufferedFrames)
        #expect(stream.lower.progress.read <= 32)
        #expect(try socket.receive().bytes.count == 5000)
    }
}

/// A stream that has more, whatever it was asked for: what TLS is to a reader whose peer sends records
/// with hardly any data.
private final class DrippingStream: ByteStream {
    let lower: FaultyStream

    init(_ lower: FaultyStream) { self.lower = lower }

    var descriptor: Int32 { -1 }
    var isSecure: Bool { true }
    var hasBufferedInput: Bool { true }

    func mayHaveMore(afterReading count: Int, of room: Int) -> Bool { true }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        try lower.read(into: buffer)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        try lower.write(bytes)
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        try lower.wait(for: interest, until: deadline)
    }

    func nudge() {}
    func finishWriting() {}
    func abort() { lower.abort() }
}
