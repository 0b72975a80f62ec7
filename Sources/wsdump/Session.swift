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
    /// How far it has come; set by several threads.
    private final class Progress: Sendable {
        /// Whether there is a connection at present.
        let isOpen = Atomic<Bool>(false)
        /// Whether something that was to be sent was not, or the connection ended out of order.
        let hasFailed = Atomic<Bool>(false)
        let isEndedByUser = Atomic<Bool>(false)
    }

    private let sending: SendingArguments
    private let connecting: ConnectingArguments
    private let console: Console
    private let transcript: Transcript
    private let target: Target
    private let app: WebSocketApp
    private let progress = Progress()
    /// Signalled when the connection has been opened for the first time.
    private let opened: WakeUp
    /// Signalled when the app's run is over.
    private let ended: WakeUp

    init(target: Target, _ arguments: WSDump) throws {
        self.target = target
        sending = arguments.sending
        connecting = arguments.connecting
        let showing = arguments.showing
        console = Console(showing.raw || showing.json ? .plain : .ofTerminal)
        transcript = Transcript(
            isVerbose: showing.verbose >= 1,
            showsTimings: showing.timings,
            isJSON: showing.json
        )
        opened = try WakeUp()
        ended = try WakeUp()
        app = WebSocketApp(url: target.url, options: target.options)
        if showing.verbose >= 2 { console.trace() }
        listen()
    }

    private func listen() {
        let (console, transcript) = (console, transcript)
        let (opened, progress) = (opened, progress)
        let show: @Sendable (Event) -> Void = { event in
            if let line = transcript.line(event) { console.show(line) }
        }
        app.onOpen = { _ in
            progress.isOpen.store(true, ordering: .relaxed)
            opened.signal()
        }
        app.onReconnect = { _ in
            progress.isOpen.store(true, ordering: .relaxed)
            console.say("Connected again")
        }
        app.onData = { _, payload, opcode, isFinal in
            show(.frame(opcode, payload, isFinal: isFinal))
        }
        // With this set, fragments come one by one.
        app.onContinuation = { _, _, _ in }
        app.onPing = { _, payload in show(.frame(.ping, payload, isFinal: true)) }
        app.onPong = { _, payload in show(.frame(.pong, payload, isFinal: true)) }
        app.onError = { _, error in console.note("wsdump: \(error)") }
        app.onClose = { _, code, reason in
            // Attempts that failed have no end to be shown.
            guard progress.isOpen.exchange(false, ordering: .relaxed) else { return }
            show(.close(code, reason: reason))
            if !transcript.isVerbose {
                console.say("Connection closed: \(Transcript.words(code, reason))")
            }
        }
    }

    /// Runs until the connection has ended; false if it ended out of order.
    func run() -> Bool {
        let signals = watchSignals()
        defer { withExtendedLifetime(signals) {} }
        do {
            try Threads.start { [self] in connect() }
            try converse()
        } catch {
            // The wait ends that way when the connection has ended.
        }
        app.close()
        var nothing: [PollEntry] = []
        _ = try? Poll.wait(for: &nothing, wakeUp: ended, until: .after(.seconds(10)))
        console.stop()
        return !progress.hasFailed.load(ordering: .relaxed)
    }

    private func connect() {
        defer { ended.signal() }
        do {
            let interval = connecting.pingInterval?.duration
            let hasErrored = try app.runForever(
                pingInterval: interval,
                // The longest that is shorter than the interval, but for what a timer may be late.
                pingTimeout: interval.map { $0 * 0.9 },
                reconnect: connecting.reconnect.map { .every($0.duration) }
            )
            // Who reconnects has lived with errors.
            guard hasErrored, !progress.isEndedByUser.load(ordering: .relaxed) else { return }
        } catch {
            console.note("wsdump: \(error)")
        }
        progress.hasFailed.store(true, ordering: .relaxed)
    }

    // MARK: Sending

    /// Sends what is to be sent; throws when the connection has ended.
    private func converse() throws {
        var entries = [PollEntry(opened.descriptor, for: .read)]
        _ = try Poll.wait(for: &entries, wakeUp: ended, until: .never)
        console.say("Press Ctrl+C to quit")
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
                    let limit = Deadline.after(sending.eofWait.duration)
                    _ = try Poll.wait(for: &entries, wakeUp: ended, until: limit)
                    progress.isEndedByUser.store(true, ordering: .relaxed)
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
            failed("a line was not sent: \(error)")
        }
    }

    private func send(file path: String) {
        do {
            guard let socket = app.socket else {
                return failed("\(path) was not sent: the connection is closed")
            }
            try socket.send(contentsOf: path, as: sending.binary ? .binary : .text)
        } catch WebSocketError.invalidPayload {
            failed("\(path) was not sent: it is not UTF-8; --binary sends it all the same")
        } catch {
            failed("\(path) was not sent: \(error)")
        }
    }

    private func failed(_ line: String) {
        console.note("wsdump: " + line)
        progress.hasFailed.store(true, ordering: .relaxed)
    }

    // MARK: Signals

    private func watchSignals() -> [SignalWatch] {
        var watches = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].compactMap { number in
            try? SignalWatch(number) { [self] in interrupt() }
        }
        guard console.style.prompts else { return watches }
        let console = console
        // Ctrl-Z: the shell gets its terminal as it was, and fg finds a prompt again.
        let stop = try? SignalWatch(SIGTSTP) {
            console.stop()
            // Not kill(2): that may stop another thread first, and this one would go on.
            raise(SIGSTOP)
            console.start()
        }
        let resize = try? SignalWatch(SIGWINCH) { console.redraw() }
        watches += [stop, resize].compactMap { $0 }
        return watches
    }

    /// The first time closes in order, the second at once.
    private func interrupt() {
        if progress.isEndedByUser.exchange(true, ordering: .relaxed) {
            console.stop()
            exit(130)
        }
        app.close()
    }
}
