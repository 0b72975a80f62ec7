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

    @Test("Messages that a batch has collected go out after a time-out, and are counted")
    func timeoutWhileOthersPass() throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        try socket.send("echo")
        stream.begin(.at(0, .outbound, .stallOnce))
        let error = failure {
            try socket.withBatch { batch in
                try batch.send("first")
                // The rest of the pong has to go out before the batch.
                #expect(try socket.receive() == .text("echo"))
                try batch.send("second")
            }
        }
        guard case .batchInterrupted(let sent, .timedOut(.sending(isAccepted: true))) = error
        else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(sent == 2)
        try socket.send("third")
        #expect(
            peer.received.map { String(decoding: $0.bytes, as: UTF8.self) } == [
                "echo", "first", "second", "third",
            ]
        )
        #expect(peer.answeredPings == 1)
        #expect(peer.fault == nil)
    }

    @Test(
        "A time-out in a first fragment ends the connection, as nothing else could follow it"
    )
    func timeoutInFirstFragment() throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        stream.begin(.at(1, .outbound, .stallOnce))
        let fragment = [UInt8](repeating: 1, count: 300_000)
        let error = failure { try socket.send(fragments: [fragment, fragment]) }
        // Not accepted, so it has to be sent again, over another connection.
        #expect(error?.isAccepted == false, "\(String(describing: error))")
        #expect(failure { try socket.send("next") }?.isAborted == true)
        #expect(peer.fault == nil)
    }

    @Test(
        "A batch counts the messages that went out before the connection was reset",
        arguments: [10, 1_000, 20_000],
        [0, 1, 3, 500]
    )
    func countAfterReset(count: Int, passing: Int) throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        // Several frames of 106 bytes, and half of another one.
        stream.begin(.at(passing * 106 + 53, .outbound, .reset))
        let message = [UInt8](repeating: 1, count: 100)
        let error = failure {
            try socket.sendBatch(binary: Array(repeating: message, count: count))
        }
        guard passing < count else {
            #expect(error == nil)
            return
        }
        guard case .batchInterrupted(passing, cause: .connectionClosed) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(peer.received.count == passing)
    }

    @Test("Large messages are counted only if they went out whole", arguments: [0, 1, 2, 3])
    func largeAfterReset(passing: Int) throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(peer)
        let size = 300_000
        stream.begin(.at(passing * (size + 14) + 280_000, .outbound, .reset))
        let message = [UInt8](repeating: 1, count: size)
        let error = failure { try socket.sendBatch(binary: Array(repeating: message, count: 5)) }
        guard case .batchInterrupted(passing, cause: .connectionClosed) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(peer.received.count == passing)
    }
}
