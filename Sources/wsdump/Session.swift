import Logging
import Synchronization
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One conversation: lines go out, frames are shown, until one of both ends it.
final class Session: Sendable {
    private let target: Target
    private let sending: SendingArguments
    private let keepalive: Keepalive?
    private let reconnection: Reconnection?
    private let console: Console
    private let transcript: Transcript
    private let prompts: Bool

    private let app: WebSocketApp
    /// Signalled when the connection has been opened for the first time.
    private let opened: WakeUp
    /// Signalled when the app's run is over.
    private let ended: WakeUp
    private let isEndedByUser = Atomic<Bool>(false)
    private let hasFailed = Atomic<Bool>(false)

    init(target: Target, _ arguments: WSDump) throws {
        self.target = target
        sending = arguments.sending
        let showing = arguments.showing
        let isPlain = showing.raw || showing.json
        prompts = !isPlain && Terminal.hasInput && Terminal.hasOutput
        console = Console(
            prompts: prompts,
            isColoured: !isPlain && Terminal.hasOutput && Terminal.allowsColour
        )
        transcript = Transcript(
            isVerbose: showing.verbose >= 1,
            showsTimings: showing.timings,
            isJSON: showing.json
        )
        keepalive = arguments.connecting.pingInterval.map {
            Keepalive(interval: .seconds($0), timeout: .seconds($0 * 0.9))
        }
        reconnection = arguments.connecting.reconnect.map { .every(.seconds($0)) }
        opened = try WakeUp()
        ended = try WakeUp()
        app = WebSocketApp(url: target.url, options: target.options)
        if showing.verbose >= 2 {
            let console = console
            enableTrace(true, logger: Logger(label: "wsdump") { _ in Notes(console: console) })
        }
        listen()
    }

    private func listen() {
        let (console, transcript, opened) = (console, transcript, opened)
        let show: @Sendable (Event) -> Void = { event in
            if let line = transcript.line(event) { console.show(line) }
        }
        let prompts = prompts
        app.onOpen = { _ in opened.signal() }
        app.onReconnect = { _ in if prompts { console.note("Connected again.") } }
        app.onData = { _, payload, opcode, isFinal in
            show(.frame(opcode, payload, isFinal: isFinal))
        }
        // With this set, fragments come one by one.
        app.onContinuation = { _, _, _ in }
        app.onPing = { _, payload in show(.frame(.ping, payload, isFinal: true)) }
        app.onPong = { _, payload in show(.frame(.pong, payload, isFinal: true)) }
        app.onError = { _, error in console.note("wsdump: " + Legible.text("\(error)")) }
        app.onClose = { app, code, reason in
            guard opened.isSignalled else { return }
            show(.close(code, reason: reason))
            guard prompts else { return }
            let words = reason.isEmpty ? "" : " \(Legible.text(reason))"
            console.note("Connection closed: \(code)\(words)")
        }
    }

    /// Runs until the connection has ended; false if it ended out of order.
    func run() -> Bool {
        let signals = [SIGINT, SIGTERM, SIGHUP].compactMap { number in
            try? SignalWatch(number) { [self] in interrupt() }
        }
        defer { withExtendedLifetime(signals) {} }
        do {
            try Threads.start { [self] in
                do {
                    let hasErrored = try app.runForever(
                        pingInterval: keepalive?.interval,
                        pingTimeout: keepalive?.timeout,
                        reconnect: reconnection
                    )
                    hasFailed.store(hasErrored, ordering: .relaxed)
                } catch {
                    console.note("wsdump: \(error)")
                    hasFailed.store(true, ordering: .relaxed)
                }
                ended.signal()
            }
            try converse()
        } catch {
            // The wait ends that way when the connection has ended.
        }
        try? app.close()
        var nothing: [PollEntry] = []
        _ = try? Poll.wait(for: &nothing, wakeUp: ended, until: .after(.seconds(10)))
        console.stop()
        return isEndedByUser.load(ordering: .relaxed) || !hasFailed.load(ordering: .relaxed)
    }

    /// Sends what is to be sent; throws when the connection has ended.
    private func converse() throws {
        var entries = [PollEntry(opened.descriptor, for: .read)]
        _ = try Poll.wait(for: &entries, wakeUp: ended, until: .never)
        if prompts { console.note("Press Ctrl+C to quit") }
        console.start()
        if let text = sending.text { send(text) }
        for path in sending.file { send(file: path) }
        while true {
            entries = [PollEntry(STDIN_FILENO, for: .read)]
            _ = try Poll.wait(for: &entries, wakeUp: ended, until: .never)
            for input in console.type(Terminal.read()) {
                switch input {
                case .line(let line): send(line)
                case .interrupt: return interrupt()
                case .end:
                    entries = []
                    let limit = Deadline.after(.seconds(sending.eofWait))
                    _ = try Poll.wait(for: &entries, wakeUp: ended, until: limit)
                    isEndedByUser.store(true, ordering: .relaxed)
                    return
                }
            }
        }
    }

    private func send(_ line: String) {
        do {
            if sending.binary {
                try app.send(binary: Array(line.utf8))
            } else {
                try app.send(line)
            }
        } catch {
            console.note("wsdump: not sent: \(error)")
        }
    }

    private func send(file path: String) {
        do {
            guard let socket = app.socket else { return }
            try socket.send(contentsOf: path, as: sending.binary ? .binary : .text)
        } catch .invalidPayload {
            console.note("wsdump: \(path) is not UTF-8; --binary sends it all the same")
        } catch {
            console.note("wsdump: \(path) was not sent: \(error)")
        }
    }

    /// The first time closes in order, the second at once.
    private func interrupt() {
        if isEndedByUser.exchange(true, ordering: .relaxed) {
            console.stop()
            exit(130)
        }
        try? app.close()
    }
}

/// swift-log's entries as notes.
private struct Notes: LogHandler {
    let console: Console
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { console.note(Legible.text("\(event.message)")) }
}
