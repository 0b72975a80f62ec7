// Loops as people write them, in functions. Some of these crashed compilers when the calls in them had
// typed throws.

import WebSocketClient

func receiveInTheEnd(_ socket: WebSocket) throws -> Message {
    while true {
        do { return try socket.receive() } catch WebSocketError.timedOut {}
    }
}

func receiveWithContinue(_ socket: WebSocket) throws -> [UInt8] {
    while true {
        do {
            return try socket.receiveData().payload
        } catch WebSocketError.timedOut {
            continue
        }
    }
}

func receiveFrame(_ socket: WebSocket, attempts: Int) -> Frame? {
    for _ in 0..<attempts {
        do {
            return try socket.receiveFrame()
        } catch let error as WebSocketError {
            print(error)
        } catch {
            return nil
        }
    }
    return nil
}

func countMessages(_ socket: WebSocket) throws -> Int {
    var count = 0
    while true {
        do {
            _ = try socket.receive()
            count += 1
        } catch WebSocketError.timedOut {
            continue
        } catch WebSocketError.connectionClosed(let end) {
            print("closed with \(end.code)")
            return count
        }
    }
}

func connectInTheEnd(_ url: String, attempts: Int) throws -> WebSocket {
    var left = attempts
    while true {
        do {
            return try WebSocket.connect(to: url)
        } catch WebSocketError.connectFailed where left > 1 {
            left -= 1
        }
    }
}

func createInTheEnd(_ url: String, attempts: Int) -> WebSocket? {
    var last: (any Error)?
    for attempt in 1...attempts {
        do {
            return try createConnection(url, timeout: .seconds(5))
        } catch WebSocketError.connectFailed, WebSocketError.timedOut {
            print("attempt \(attempt) failed")
            continue
        } catch {
            last = error
            break
        }
    }
    if let last { print(last) }
    return nil
}

func sendAll(_ texts: [String], over socket: WebSocket) throws {
    for text in texts {
        sending: while true {
            do {
                try socket.send(text)
                break sending
            } catch WebSocketError.timedOut(.sending(isAccepted: true)) {
                break sending
            } catch WebSocketError.timedOut {
                continue sending
            }
        }
    }
}

func sendBatches(_ batches: [[String]], over socket: WebSocket) throws -> Int {
    var sent = 0
    for batch in batches {
        do {
            sent += try socket.sendBatch(batch)
        } catch WebSocketError.batchInterrupted(let count, let cause) {
            print("\(count) were sent: \(cause)")
            sent += count
        }
    }
    return sent
}

func readUntilClosed(_ socket: WebSocket, body: (Message) throws -> Void) throws {
    while let message = try socket.next() {
        do {
            try body(message)
        } catch WebSocketError.timedOut {
            continue
        }
    }
}

func closeInTheEnd(_ socket: WebSocket) {
    while true {
        do {
            try socket.close()
            return
        } catch let error as WebSocketError {
            guard case .timedOut = error else { return }
        } catch {
            return
        }
    }
}

func runInTheEnd(_ app: WebSocketApp) throws -> Bool {
    while true {
        do { return try app.runForever() } catch WebSocketError.connectFailed { continue }
    }
}

let receiveInAClosure: @Sendable (WebSocket) throws -> Message = { socket in
    while true {
        do { return try socket.receive() } catch WebSocketError.timedOut { continue }
    }
}
