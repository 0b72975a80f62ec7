import ArgumentParser
import WebSocketClient

/// The command line of `wsdump`.
@main
struct WSDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wsdump",
        abstract: "Talk to a WebSocket server from the terminal.",
        usage: """
            wsdump [options] ws_url
            wsdump [options] --echo-server
            wsdump --bench 64KiBx10000 ws_url
            """,
        discussion: """
            Each line that is typed, or read from standard input, is sent as a text message; each \
            frame that arrives is shown on a line of its own. Arrow keys and the control keys of \
            readline edit the line and go through its history. Ctrl-C or Ctrl-D ends, and so does \
            the server.

            Frames are shown as they arrive, fragments one by one. Binary data is shown as text if \
            it is text that gzip or deflate compressed, with [gzip] or [zlib] in front, else as \
            printable characters and \\x escapes. Control characters in what the peer sends are \
            escaped, so that they can't reach the terminal.

            If standard input or output is no terminal, there is no prompt; if standard output is \
            none, there is no colour either, nor if the environment has NO_COLOR.

            EXAMPLES
              wsdump --echo-server
                  try it with no network
              wsdump wss://example.com/feed -v
                  show what kind each frame is
              echo hello | wsdump --raw --eof-wait 2 ws://localhost:8080/
                  one message, and what comes back within two seconds
              wsdump --json wss://example.com/feed | jq .data
                  one JSON object a frame
              wsdump -p socks5h://user:password@proxy:1080 wss://example.com/
                  through a proxy
              wsdump --bench 1KiBx100000 --echo-server
                  rates and round trip times

            EXIT STATUS
              0    ended by the user, by the end of the input, or by the server in order
              1    the connection failed or ended out of order, or something was not sent
              64   the arguments can't be used
              130  a second Ctrl-C cut the end short, or one ended --bench

            ENVIRONMENT
              http_proxy, https_proxy, all_proxy, no_proxy
                  proxies, unless --proxy is given
              WEBSOCKET_CLIENT_CA_BUNDLE
                  trusted authorities: a file or a directory
              SSLKEYLOGFILE
                  where to write TLS secrets, for Wireshark
              NO_COLOR
                  no colours
            """
    )

    @Argument(
        help: ArgumentHelp("The server: ws://host[:port]/path or wss://…", valueName: "ws_url")
    )
    var url: String?

    @OptionGroup(title: "Connecting")
    var connecting: ConnectingArguments

    @OptionGroup(title: "Sending")
    var sending: SendingArguments

    @OptionGroup(title: "Showing")
    var showing: ShowingArguments

    @OptionGroup(title: "Measuring")
    var measuring: MeasuringArguments

    /// Understands `-v 2` too, which a flag can't.
    static func main() {
        main(Verbosity.spellOut(Array(CommandLine.arguments.dropFirst())))
    }

    mutating func validate() throws {
        // `-s a b ws://…` has the URL among the subprotocols.
        if url == nil, let last = connecting.subprotocols.last, last.lowercased().hasPrefix("ws") {
            let rest = last.lowercased().drop { $0 != ":" }
            if rest.hasPrefix("://") {
                connecting.subprotocols.removeLast()
                url = last
            }
        }
        if let url {
            guard !connecting.echoServer else {
                throw ValidationError("--echo-server takes the place of ws_url.")
            }
            do {
                _ = try WebSocketURL(url)
            } catch {
                throw ValidationError("\(error)")
            }
        } else if !connecting.echoServer {
            throw ValidationError("Missing expected argument 'ws_url' (or --echo-server)")
        }
        if let interval = connecting.pingInterval, interval.duration <= .zero {
            throw ValidationError("--ping-interval must be greater than 0.")
        }
        if let path = sending.file.first(where: { !Terminal.canRead($0) }) {
            throw ValidationError("--file: \(path) can't be read.")
        }
        _ = try connecting.options()
        _ = try measuring.load()
    }

    func run() throws {
        let target = try Target(url: url, connecting)
        if let load = try measuring.load() {
            let console = Console(.plain)
            if showing.verbose >= 2 { console.trace() }
            let bench = Bench(target: target, load: load, isJSON: showing.json, console: console)
            throw ExitCode(bench.run())
        }
        let session = try Session(target: target, self)
        throw ExitCode(session.run() ? 0 : 1)
    }
}
