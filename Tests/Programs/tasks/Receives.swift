import LoopbackServer
import TestSupport
import WebSocketClient
import WebSocketProtocol

/// Cancels `count` receives on one connection at random moments; every message has to come once and in
/// order.
func cancelReceives(_ count: Int) async throws {
    // For each text a numbered message, every third of them in two pieces.
    let server = try LoopbackServer { connection in
        var next = 0
        while true {
            _ = try connection.receive()
            let message = numbered(next, size: 40 + next % 100)
            let frame = WireFrame(.binary, message).bytes
            if next.isMultiple(of: 3) {
                try connection.write(Array(frame[..<20]))
                try connection.write(Array(frame[20...]))
            } else {
                try connection.write(frame)
            }
            next += 1
        }
    }
    defer { server.stop() }
    let socket = try await WebSocket.connect(to: server.url(), options: localOptions())
    var (asked, received, cancelled, round) = (0, 0, 0, 0)
    func take(_ message: Message) throws {
        try require(number(message.bytes) == received, "message \(received) was lost or doubled")
        received += 1
    }
    while cancelled < count {
        round += 1
        // Requested messages that haven't been received fit into a socket's buffer.
        if round.isMultiple(of: 2), asked - received < 100 {
            try await socket.send("next")
            asked += 1
        }
        let receiving = Task { try await socket.receive() }
        for _ in 0..<round % 4 { await Task.yield() }
        receiving.cancel()
        do {
            try take(await receiving.value)
        } catch is CancellationError {
            cancelled += 1
        }
    }
    while received < asked { try take(await socket.receive()) }
    try await socket.close()
    print("ok     \(cancelled) cancelled receives: each of \(received) messages came once")
}
