// The same loops in methods: of a structure, a class, an actor and a subclass.

import WebSocketClient

struct Feed {
    let socket: WebSocket
    var timeouts = 0

    mutating func next() throws -> Message {
        while true {
            do { return try socket.receive() } catch WebSocketError.timedOut { timeouts += 1 }
        }
    }
}

final class Reconnecting {
    private let url: String
    private var socket: WebSocket?
    private(set) var attempts = 0

    init(url: String) { self.url = url }

    private func connected() throws -> WebSocket {
        while true {
            if let socket { return socket }
            do {
                attempts += 1
                socket = try WebSocket.connect(to: url)
            } catch WebSocketError.connectFailed where attempts < 3 {
                continue
            }
        }
    }

    func receive() throws -> Message {
        while true {
            let socket = try connected()
            do {
                return try socket.receive()
            } catch WebSocketError.timedOut {
                continue
            } catch WebSocketError.connectionClosed {
                self.socket = nil
            } catch let error as WebSocketError {
                print(error)
                throw error
            }
        }
    }
}

class Patient: WebSocket, @unchecked Sendable {
    func receiveText() throws -> String {
        while true {
            do {
                guard case .text(let text) = try receive() else { continue }
                return text
            } catch WebSocketError.timedOut {
                continue
            }
        }
    }
}

actor Inbox {
    private var messages: [Message] = []

    func fill(from socket: WebSocket) async throws {
        while true {
            do {
                messages.append(try await socket.receive())
            } catch WebSocketError.timedOut {
                continue
            } catch WebSocketError.connectionClosed {
                return
            }
        }
    }
}
