import TestSupport
import Testing

@testable import WebSocketClient

@Suite("A connection that turns out to be lost while sending", .blocking)
struct LostConnectionTests {
    private func connect(_ socket: WebSocket) throws -> FaultyStream {
        let stream = FaultyStream(EchoPeer())
        try socket.open("ws://localhost/") { _, _ in stream }
        return stream
    }

    @Test("It isn't connected, and messages that came before can be received")
    func received() throws {
        let socket = WebSocket(options: Exchange().options)
        let stream = try connect(socket)
        try socket.send("echo")
        stream.begin(.at(0, .outbound, .reset))
        #expect(failure { try socket.send("lost") }?.closure?.cause != nil)
        #expect(!socket.isConnected)
        #expect(try socket.receive() == .text("echo"))
        #expect(failure { try socket.receive() }?.closure?.cause != nil)
    }

    @Test("Its socket can connect again")
    func connectedAgain() throws {
        let socket = WebSocket(options: Exchange().options)
        let stream = try connect(socket)
        stream.begin(.at(0, .outbound, .reset))
        #expect(failure { try socket.send("lost") } != nil)
        _ = try connect(socket)
        #expect(socket.isConnected && stream.isAborted)
        try socket.send("echo")
        #expect(try socket.receive() == .text("echo"))
    }

    @Test("A time-out isn't a lost connection")
    func timeout() throws {
        let socket = WebSocket(options: Exchange().options)
        let stream = try connect(socket)
        stream.begin(.at(0, .outbound, .stallOnce))
        #expect(failure { try socket.send("late") }?.isAccepted == true)
        #expect(socket.isConnected)
        #expect(failure { try connect(socket) } != nil)
        #expect(try socket.receive() == .text("late"))
    }
}
