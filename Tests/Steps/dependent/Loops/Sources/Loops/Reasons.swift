// Loops that examine why a call failed: the proxy, TLS, the stage that took too long, the end.

import WebSocketClient

func connectThroughProxy(_ url: String, attempts: Int) throws -> WebSocket {
    var left = attempts
    while true {
        left -= 1
        do {
            return try WebSocket.connect(to: url)
        } catch WebSocketError.proxy(let error) where error.isAuthenticationFailure {
            throw error
        } catch WebSocketError.proxy(.refused(let status, _)) where status >= 500 && left > 0 {
            continue
        } catch WebSocketError.proxy(.tls(let error)), WebSocketError.tls(let error) {
            guard !error.isVerificationFailure, left > 0 else { throw error }
        } catch WebSocketError.timedOut(.resolution), WebSocketError.timedOut(.connecting) {
            guard left > 0 else { throw WebSocketError.timedOut(.connecting) }
        }
    }
}

func reason(_ error: WebSocketError) -> String {
    switch error {
    case .proxy(let error): "the proxy: \(error.statusCode ?? 0) \(error.socksReply ?? 0)"
    case .tls(let error): "TLS: \(error.code) \(error.verifyCode)"
    case .connectFailed(_, let attempts): "\(attempts.map(\.number))"
    case .timedOut(.sending(isAccepted: true)): "the rest goes out later"
    case .timedOut(let operation): "\(operation)"
    case .connectionClosed(let end): "\(end.code)"
    default: "\(error)"
    }
}

func readEach(_ socket: WebSocket) throws -> Int {
    var bytes = 0
    while true {
        do {
            try socket.forEachMessage { _, payload in
                bytes += payload.byteCount
                return true
            }
            return bytes
        } catch WebSocketError.timedOut {
            continue
        } catch let error as WebSocketError {
            print(reason(error))
            return bytes
        }
    }
}

func sendInBatches(_ texts: [String], over socket: WebSocket) throws -> Int {
    var sent = 0
    while sent < texts.count {
        do {
            try socket.withBatch { batch in
                for text in texts[sent...] { try batch.send(text) }
            }
            sent = texts.count
        } catch WebSocketError.batchInterrupted(let count, .timedOut) {
            sent += count
            continue
        }
    }
    return sent
}

func readEach(_ socket: WebSocket) async throws -> Int {
    var count = 0
    while !Task.isCancelled {
        do {
            for try await _ in socket.messages { count += 1 }
            return count
        } catch WebSocketError.timedOut {
            continue
        } catch let error as WebSocketError {
            print(reason(error))
            return count
        }
    }
    return count
}
