import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Messages to and from a server", .blocking)
struct EchoTests {
    private func connect(_ options: ConnectOptions = ConnectOptions()) throws -> (
        LoopbackServer, WebSocket
    ) {
        let server = try LoopbackServer()
        return (server, try WebSocket.connect(to: server.url(), options: options))
    }

    @Test("A text comes back unchanged", arguments: [0, 1, 125, 126, 65535, 65536, 300_000])
    func text(count: Int) throws {
        let (server, socket) = try connect()
        let text =
            String(repeating: "é", count: count / 2) + String(repeating: "x", count: count % 2)
        try socket.send(text)
        #expect(try socket.receive() == .text(text))
        try socket.close()
        server.stop()
    }

    @Test("Bytes come back unchanged", arguments: [0, 1, 125, 126, 65535, 65536, 3_000_000])
    func binary(count: Int) throws {
        let (server, socket) = try connect()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try socket.send(binary: bytes)
        #expect(try socket.receive() == .binary(bytes))
        let closed = try socket.close(reason: "done")
        #expect(closed == ClosePayload(code: .normalClosure))
        #expect(!socket.isConnected)
        server.stop()
    }

    @Test(
        "A consumed array comes back unchanged, and its other owners keep their copies",
        arguments: [0, 125, 16 << 10, 16_385, 300_000, 1 << 20, 3_000_000]
    )
    func consumed(count: Int) throws {
        let (server, socket) = try connect()
        let kept = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let length = try socket.send(consuming: kept.map { $0 })
        #expect(length == FrameHeader.frameLength(payload: count, isMasked: true))
        #expect(try socket.receive() == .binary(kept))
        let shared = kept
        try socket.send(consuming: shared)
        #expect(try socket.receive() == .binary(kept))
        // The next frame begins where it should.
        try socket.send("next")
        #expect(try socket.receive() == .text("next"))
        try socket.close()
        server.stop()
    }
}
