import LoopbackServer
import WebSocketClient

/// Where to connect to, and how.
struct Target {
    let url: String
    let options: ConnectOptions
    /// Runs as long as it is held.
    let server: LoopbackServer?

    init(url: String?, _ arguments: ConnectingArguments) throws {
        options = try arguments.options()
        if arguments.echoServer {
            let server = try LoopbackServer(compression: options.compression)
            self.server = server
            self.url = server.url()
        } else {
            server = nil
            self.url = url ?? ""
        }
    }
}
