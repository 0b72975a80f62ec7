package import LoopbackServer
package import WebSocketClient
import WebSocketProtocol

/// Runs `body` with a server that runs `script` for each connection.
package func withServer<Result>(
    _ script: @escaping LoopbackServer.Script,
    run body: (LoopbackServer) throws -> Result
) throws -> Result {
    let server = try LoopbackServer(script: script)
    defer { server.stop() }
    return try body(server)
}

/// Runs `body` with a socket that is connected to a server with this script.
package func withSocket<Result>(
    _ options: ConnectOptions = ConnectOptions(),
    server script: @escaping LoopbackServer.Script,
    client body: (WebSocket) throws -> Result
) throws -> Result {
    try withServer(script) { server in
        let socket = try WebSocket.connect(to: server.url(), options: options)
        defer { socket.abort() }
        return try body(socket)
    }
}

/// The error of a call; `nil` if it returned.
package func failure(_ body: () throws -> some Any) -> WebSocketError? {
    do {
        _ = try body()
        return nil
    } catch let error as WebSocketError {
        return error
    } catch {
        preconditionFailure("not a WebSocketError: \(error)")
    }
}

/// The error of an async call; `nil` if it returned.
package func asyncFailure(_ body: () async throws -> some Any) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

extension WebSocketError {
    package var closure: ConnectionEnd? {
        if case .connectionClosed(let closure) = self { closure } else { nil }
    }

    package var isAborted: Bool {
        if case .aborted = self { true } else { false }
    }

    package var isReceiveTimeout: Bool {
        if case .timedOut(.receiving) = self { true } else { false }
    }

    /// For a sending call: whether the message will still go out; `nil` if it didn't time out.
    package var isAccepted: Bool? {
        if case .timedOut(.sending(let isAccepted)) = self { isAccepted } else { nil }
    }
}

extension WebSocket {
    /// The next message, which has to be a text.
    package func receiveText() throws -> String {
        let message = try receive()
        guard case .text(let text) = message else {
            throw SupportError("a text was expected, and this came: \(message)")
        }
        return text
    }
}

extension ServerConnection {
    /// Sends frames as they are, right or wrong.
    package func write(_ frames: WireFrame...) throws { try write(frames.bytes) }

    /// Receives until a close frame comes, and returns its payload; answers nothing.
    package func receiveClose() throws -> [UInt8] {
        while true {
            let piece = try nextPiece()
            if piece.opcode == .close { return Array(piece.bytes) }
        }
    }

    /// Waits until the client ends the stream, and drops everything.
    package func waitForEnd() {
        while (try? nextPiece()) != nil {}
    }
}
