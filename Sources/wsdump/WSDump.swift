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
            Each line that you type, or that standard input contains, is sent as a text message; \
            each frame that arrives is shown on its own line. Arrow keys and readline's control keys \
            edit the line and go through its history. Ctrl-C, Ctrl-D or the server ends the \
            conversation.

            Control characters that edit nothing, such as Ctrl-@ (NUL) and Ctrl-^ (0x1E), are \
            inserted and shown escaped; Ctrl-V inserts the next character literally.

            Frames are shown as they arrive, fragments one by one without --join. Binary data is \
            shown as text if it is text compressed by gzip or deflate, marked [gzip] or [zlib], and \
            otherwise as printable characters and \\x escapes. Control characters from the peer are \
            escaped, so that they can't reach the terminal, and on a terminal each row of the peer's \
            text begins with "< " or "| ".

            There is a prompt only if standard input and output are a terminal, and colour only if \
            standard output is a terminal and the environment doesn't have NO_COLOR.

            EXAMPLES
              wsdump --echo-server
                  try it with no network
              wsdump wss://example.com/feed -v
                  show the kind of each frame
              echo hello | wsdump --raw --eof-wait 2 ws://localhost:8080/
                  one message, and what comes back within two seconds
              wsdump --json wss://example.com/feed | jq .data
                  one JSON object a frame
              wsdump -H "Cookie: a=1; b=2, 3" wss://example.com/
                  with a header field
              wsdump -p socks5h://user:password@proxy:1080 wss://example.com/
                  through a proxy
              wsdump --binary --file data --receipts --reconnect 1 ws://localhost:8080/
                  a file, whole even if the connection drops
              wsdump --bench 1KiBx100000 --echo-server
                  rates and round trip times

            EXIT STATUS
              0    ended by the user, by the end of the input, or cleanly by the server
              1    the connection failed or ended abnormally, or something was not sent
              64   the arguments can't be used
              130  a second Ctrl-C cut the end short, or one ended --bench
              143  SIGTERM ended it, and the server did not answer the close in time

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
        StandardStreams.openMissing()
        // Invalid UTF-8 has been repaired in the strings, and would be sent in that form.
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[index] else { break }
            if String(validatingCString: argument) == nil {
                let message = "Argument \(index) is not UTF-8; standard input takes any bytes."
                exit(withError: ValidationError(message))
            }
        }
        main(Verbosity.spellOut(Array(CommandLine.arguments.dropFirst())))
    }

    mutating func validate() throws {
        // `-s a b ws://…` takes the URL for a subprotocol.
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
        guard connecting.origin == nil || !connecting.noOrigin else {
            throw ValidationError("--origin and --no-origin can't be used together.")
        }
        if let size = sending.fragment, size.bytes < 1 {
            throw ValidationError("--fragment must be at least 1.")
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
        throw ExitCode(session.run())
    }
}
