import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Batches under faults", .blocking)
struct BatchFaultTests {
    private func connect(_ peer: EchoPeer) throws -> (WebSocket, FaultyStream) {
        let stream = FaultyStream(peer)
        let socket = WebSocket(options: Exchange().options)
        try socket.open("ws://localhost/") { _, _ in stream }
        return (socket, stream)
    }

    @Test("A message that time ran out before is not counted, though those before it go out")
    func timeoutWhileOthersPass() throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        try socket.send("echo")
        stream.begin(.at(0, .outbound, .stallOnce))
        let error = failure {
            try socket.withBatch { batch in
                try batch.send("first")
                // The pong that this leaves has to go out before the next message.
                #expect(try socket.receive() == .text("echo"))
                try batch.send("second")
            }
        }
        guard case .batchInterrupted(let sent, .timedOut(.sending(isAccepted: false))) = error
        else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(sent == 1)
        try socket.send("third")
        #expect(
            peer.received.map { String(decoding: $0.bytes, as: UTF8.self) } == [
                "echo", "first", "third",
            ]
        )
        #expect(peer.answeredPings == 1)
        #expect(peer.fault == nil)
    }

    @Test(
        "Time that runs out in a first fragment ends the connection: nothing else could follow it"
    )
    func timeoutInFirstFragment() throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        stream.begin(.at(1, .outbound, .stallOnce))
        let fragment = [UInt8](repeating: 1, count: 300_000)
        let error = failure { try socket.send(fragments: [fragment, fragment]) }
        // Not accepted: it has to be sent again, over another connection.
        #expect(error?.isAccepted == false, "\(String(describing: error))")
        #expect(failure { try socket.send("next") }?.isAborted == true)
        #expect(peer.fault == nil)
    }
}
