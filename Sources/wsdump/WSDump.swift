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
            frame that arrives is shown on a line of its own. Arrow keys and the usual control \
            keys edit the line and go through its history. Ctrl-C or Ctrl-D ends.

            Frames are shown as they arrive, fragments one by one. Binary data is shown as text if \
            it is text that gzip or deflate compressed, with [gzip] or [zlib] in front, else as \
            printable characters and \\x escapes. Control characters in what the peer sends are \
            escaped, so that they can't reach the terminal.

            If standard output is no terminal, there is neither prompt nor colour, nor if the \
            environment has NO_COLOR.

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
              0   ended by the user, by the end of the input, or by the server in order
              1   the connection failed, or ended out of order
              64  the arguments can't be used

            ENVIRONMENT
              http_proxy, https_proxy, all_proxy, no_proxy    proxies, unless --proxy is given
              WEBSOCKET_CLIENT_CA_BUNDLE    trusted authorities: a file or a directory
              SSLKEYLOGFILE                 where to write TLS secrets, for Wireshark
              NO_COLOR                      no colours
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
        guard url != nil || connecting.echoServer else {
            throw ValidationError("Missing expected argument 'ws_url' (or --echo-server)")
        }
        if let interval = connecting.pingInterval, interval <= 0 {
            throw ValidationError("--ping-interval must be greater than 0.")
        }
        if let wait = connecting.reconnect, wait < 0 {
            throw ValidationError("--reconnect must not be negative.")
        }
        guard sending.eofWait >= 0 else {
            throw ValidationError("--eof-wait must not be negative.")
        }
        _ = try connecting.proxy.map { try ConnectingArguments.parse(proxy: $0) }
        _ = try measuring.load()
    }

    func run() throws {
        let target = try Target(url: url, connecting)
        if let load = try measuring.load() {
            if showing.verbose >= 2 { enableTrace(true) }
            let bench = Bench(target: target, load: load, isJSON: showing.json)
            throw ExitCode(try bench.run() ? 0 : 1)
        }
        let session = try Session(target: target, self)
        throw ExitCode(session.run() ? 0 : 1)
    }
}

/// `-v`, as websocket-client's wsdump takes it: alone, repeated, or with a number.
enum Verbosity {
    /// Replaces `-v N`, `-vN` and `--verbose=N` by as many `-v`.
    static func spellOut(_ arguments: [String]) -> [String] {
        var result: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--":
                return result + [argument] + rest
            case "-v", "--verbose":
                if let level = rest.first.flatMap(level) {
                    rest.removeFirst()
                    result += Array(repeating: "-v", count: level)
                } else {
                    result.append("-v")
                }
            default:
                let value =
                    argument.hasPrefix("--verbose=")
                    ? argument.dropFirst(10) : argument.hasPrefix("-v") ? argument.dropFirst(2) : ""
                if let level = level(String(value)) {
                    result += Array(repeating: "-v", count: level)
                } else {
                    result.append(argument)
                }
            }
        }
        return result
    }

    private static func level(_ text: String) -> Int? {
        guard let level = Int(text), (0...9).contains(level) else { return nil }
        return level
    }
}
