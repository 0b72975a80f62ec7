// The same loops in async functions.

import WebSocketClient

func receiveInTheEnd(_ socket: WebSocket) async throws -> Message {
    while true {
        do { return try await socket.receive() } catch WebSocketError.timedOut {}
    }
}

func countMessages(_ socket: WebSocket) async throws -> Int {
    var count = 0
    while !Task.isCancelled {
        do {
            _ = try await socket.receive()
            count += 1
        } catch WebSocketError.timedOut {
            await Task.yield()
            continue
        } catch WebSocketError.connectionClosed(let end) {
            print("closed with \(end.code)")
            break
        }
    }
    return count
}

func connectInTheEnd(_ url: String, attempts: Int) async throws -> WebSocket {
    var left = attempts
    while true {
        do {
            return try await WebSocket.connect(to: url)
        } catch WebSocketError.connectFailed where left > 1 {
            left -= 1
            try await Task.sleep(for: .milliseconds(1))
        } catch let error as WebSocketError {
            print(error)
            throw error
        }
    }
}

func sendAll(_ texts: [String], over socket: WebSocket) async throws {
    for text in texts {
        do { try await socket.send(text) } catch WebSocketError.timedOut { continue }
    }
}
