import LoopbackServer
import TestSupport
import Testing

@testable import WebSocketClient

/// Runs `body` with a socket that is connected to a server with this script.
func withAsyncSocket<Result>(
    _ options: ConnectOptions = ConnectOptions(),
    as type: WebSocket.Type = WebSocket.self,
    server script: @escaping LoopbackServer.Script,
    client body: (WebSocket) async throws -> Result
) async throws -> Result {
    let server = try LoopbackServer(script: script)
    defer { server.stop() }
    let socket = try await type.connect(to: server.url(), options: options)
    defer { socket.abort() }
    return try await body(socket)
}

/// Server scripts that most tests need.
enum Script {
    /// Returns each message.
    static let echo: LoopbackServer.Script = { connection in
        while true {
            let (opcode, payload) = try connection.receive()
            try payload.withUnsafeBytes { try connection.send(opcode, $0) }
            try connection.flush()
        }
    }

    /// Reads nothing until it is released, and then records each message until the end.
    static func reads(
        after start: Promise<Void>,
        _ body: @escaping @Sendable (_ payload: [UInt8]) throws -> Void
    ) -> LoopbackServer.Script {
        { connection in
            try start.value(within: .seconds(60))
            while let (_, payload) = try? connection.receive() { try body(payload) }
        }
    }
}

extension Promise {
    /// Waits for the value without blocking a thread of the pool.
    func awaited(within time: Duration = .seconds(120)) async throws -> Value {
        let limit = Deadline.after(time)
        while !isFulfilled, !limit.isPast { try await Task.sleep(for: .milliseconds(2)) }
        return try value(within: .milliseconds(1))
    }
}
