import LoopbackServer
import WebSocketClient

/// The server to connect to, and the options.
struct Target {
    let url: String
    let options: ConnectOptions
    /// Runs as long as this object is held.
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
