import LoopbackServer
import TestSupport
import WebSocketClient

/// Where servers are that do no harm.
struct CalmServers {
    let port: UInt16
    let securePort: UInt16

    func url(isSecure: Bool) -> String {
        isSecure ? "wss://127.0.0.1:\(securePort)/" : "ws://127.0.0.1:\(port)/"
    }

    /// Sends a message and gets it back.
    func echo(isSecure: Bool, options: ConnectOptions) throws {
        var options = options
        options.timeouts = Timeouts(all: .ample)
        let socket = try WebSocket.connect(to: url(isSecure: isSecure), options: options)
        try socket.send(String(repeating: "warm", count: 30_000))
        _ = try socket.receive()
        try socket.close()
    }
}
