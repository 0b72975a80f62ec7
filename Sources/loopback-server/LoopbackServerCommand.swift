import ArgumentParser
import LoopbackServer
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// The command line of `loopback-server`.
@main
struct LoopbackServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopback-server",
        abstract: "Serve WebSocket clients on this machine.",
        discussion: """
            Listens on 127.0.0.1, prints its URL, and serves until it is killed. What a connection \
            does depends on the path:

            ROUTES
              /echo, and every path not named here
                  returns each message as it came
              /sink?count=N
                  takes N messages, then sends a text that begins with "done" and says how many \
            messages and bytes it got
              /source?count=N&size=S&type=text
                  waits for one message, then sends N messages of S bytes: text, or binary \
            without type=text

            count and size default to 0.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The port to listen on, up to 65535; 0 for a free one.",
            valueName: "port"
        )
    )
    var port: UInt16 = 0

    @Flag(help: "Compress messages (permessage-deflate) for clients that offer it.")
    var compress = false

    static func main() {
        StandardStreams.openMissing()
        main(nil)
    }

    func run() throws {
        let server = try LoopbackServer(
            port: port,
            compression: compress ? DeflateOptions() : nil
        )
        print("listening on \(server.url("/"))")
        fflush(nil)
        while true { pause() }
    }
}
