import ArgumentParser
import WebSocketClient

/// How to connect.
struct ConnectingArguments: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The proxy to go through: [kind://][user:password@]host:port.",
            discussion:
                "The kinds are http (the default), https, socks4, socks4a, socks5, socks5h.",
            valueName: "url"
        )
    )
    var proxy: String?

    @Flag(
        name: [.customShort("n"), .customLong("nocert")],
        help: "Don't verify the server's certificate."
    )
    var ignoresCertificate = false

    @Option(
        name: .shortAndLong,
        parsing: .upToNextOption,
        help: ArgumentHelp("The subprotocols to offer, the preferred one first.", valueName: "name")
    )
    var subprotocols: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("The Origin field.", valueName: "origin"))
    var origin: String?

    @Flag(help: "Send no Origin field.")
    var noOrigin = false

    @Option(
        name: [.customShort("H"), .long],
        help: ArgumentHelp(
            "An additional header field, \"Name: value\"; commas belong to the value; may be repeated.",
            valueName: "field"
        )
    )
    var header: [String] = []

    @Option(
        help: ArgumentHelp(
            "Additional header fields, \"Name: value, Other: value\"; may be repeated.",
            valueName: "list"
        )
    )
    var headers: [String] = []

    @Option(
        help: ArgumentHelp(
            "The ciphers for TLS up to 1.2, in OpenSSL's notation.",
            discussion: "DEFAULT@SECLEVEL=0 accepts the ciphers of old servers.",
            valueName: "list"
        )
    )
    var ciphers: String?

    @Flag(help: "Offer compression of messages (permessage-deflate).")
    var compress = false

    @Option(
        help: ArgumentHelp(
            "Send a ping at this interval; give up on a server that doesn't answer within it.",
            valueName: "seconds"
        )
    )
    var pingInterval: Seconds?

    @Option(
        help: ArgumentHelp("Reconnect this long after each disconnection.", valueName: "seconds")
    )
    var reconnect: Seconds?

    @Flag(help: "Start an echo server on this machine and talk to it.")
    var echoServer = false

    func options() throws -> ConnectOptions {
        var options = ConnectOptions()
        if let proxy {
            options.proxy = try explained("--proxy") { .proxy(try Proxy(parsing: proxy)) }
        }
        if ignoresCertificate { options.tls = TLSOptions(verification: .none) }
        options.tls.ciphers = ciphers
        if let origin { options.origin = .custom(origin) }
        if noOrigin { options.origin = .omitted }
        var lines = headers.flatMap { $0.split(separator: ",").map { String($0).trimmingBlanks } }
        lines.removeAll { $0.isEmpty }
        _ = try explained("--headers") { try HTTPFields(lines: lines) }
        options.headers = try explained("--header") { try HTTPFields(lines: lines + header) }
        options.subprotocols = subprotocols
        if compress { options.compression = DeflateOptions() }
        return options
    }
}

/// The messages to send.
struct SendingArguments: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A text to send as soon as the connection is open.", valueName: "text")
    )
    var text: String?

    @Option(
        help: ArgumentHelp(
            "A file to send as one message as soon as the connection is open; may be repeated.",
            valueName: "path"
        )
    )
    var file: [String] = []

    @Flag(help: "Send everything as binary messages, byte for byte.")
    var binary = false

    @Option(
        help: ArgumentHelp(
            "Send messages in frames of at most this size, such as 4096 or 64KiB.",
            valueName: "size"
        )
    )
    var fragment: ByteCount?

    @Flag(
        help: ArgumentHelp(
            "Keep messages until the server has acknowledged them, and say how many it has.",
            discussion: """
                With --reconnect, unacknowledged messages are sent again. Files are sent as messages of \
                64 KiB, or of --fragment bytes.
                """
        )
    )
    var receipts = false

    @Option(
        help: ArgumentHelp(
            "How long to go on receiving after the end of the input.",
            valueName: "seconds"
        )
    )
    var eofWait = Seconds.zero
}

/// How to show what arrives.
struct ShowingArguments: ParsableArguments {
    @Flag(
        name: .shortAndLong,
        help: """
            Show the kind of each frame; given twice, or as -v 2, trace the handshake and \
            all frames on standard error.
            """
    )
    var verbose: Int

    @Flag(name: .shortAndLong, help: "No prompt and no colour.")
    var raw = false

    @Flag(help: "Begin each line with the seconds since the start.")
    var timings = false

    @Flag(help: "Show each frame as a JSON object on one line.")
    var json = false

    @Flag(help: "Show messages whole, not fragment by fragment.")
    var join = false
}

/// The load to measure.
struct MeasuringArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Send this many messages of this size to an echo server, and show rates and round trip "
                + "times.",
            discussion: "For example 64KiBx10000.",
            valueName: "size-x-count"
        )
    )
    var bench: String?

    @Option(
        help: ArgumentHelp(
            "How many messages may be in flight at once; 1 measures bare round trips.",
            valueName: "count"
        )
    )
    var benchWindow = 64

    func load() throws -> Bench.Load? {
        guard let bench else { return nil }
        guard let load = Bench.Load(bench, window: benchWindow) else {
            throw ValidationError(
                "--bench takes a size and a count, such as 64KiBx10000, and a window of at least 1."
            )
        }
        return load
    }
}

/// A time on the command line, in seconds and fractions of them.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    static let zero = Seconds(duration: .zero)

    let duration: Duration

    private init(duration: Duration) { self.duration = duration }

    init?(argument: String) {
        // Thirty years are enough; a duration can't represent every number.
        guard let seconds = Double(argument), (0...1e9).contains(seconds) else { return nil }
        duration = .seconds(seconds)
    }

    var description: String { "\(duration / .seconds(1))" }
}

/// Adds the option's name to an error.
func explained<Result>(_ option: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch {
        throw ValidationError("\(option): \(error)")
    }
}

extension String {
    var trimmingBlanks: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
