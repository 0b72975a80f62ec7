package import LoopbackServer
import WebSocketClient

/// Records the numbers of the messages that arrive at a server, by connection.
package final class NumberRecorder: Sendable {
    private let connections = Locked<[[Int]]>([])

    package init() {}

    package var numbers: [[Int]] { connections.withLock { $0 } }

    /// The script of the server.
    package func run(_ connection: ServerConnection) throws {
        let index = connections.withLock { connections in
            connections.append([])
            return connections.count - 1
        }
        while true {
            let (_, payload) = try connection.receive()
            // The next wait for input flushes it.
            connections.withLock { $0[index].append(ReplayTrial.number(of: payload) ?? -1) }
        }
    }
}
