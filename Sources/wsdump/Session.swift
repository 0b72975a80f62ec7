import Logging
import Synchronization
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

/// One conversation: sends lines and shows frames until either end closes.
final class Session: Sendable {
    /// The progress of the conversation; set by several threads.
    private final class Progress: Sendable {
        /// Whether there is a connection at present.
        let isOpen = Atomic<Bool>(false)
        /// Whether something couldn't be sent, or the connection ended abnormally.
        let hasFailed = Atomic<Bool>(false)
        let isEndedByUser = Atomic<Bool>(false)
        /// The signal that asked an open connection to close; 0 for none.
        let termination = Atomic<Int32>(0)
        /// Whether the message that is arriving in fragments is text.
        let isText = Atomic<Bool>(false)
    }

    private let sending: SendingArguments
    private let connecting: ConnectingArguments
    private let joinsFragments: Bool
    private let console: Console
    private let transcript: Transcript
    private let target: Target
    private let app: WebSocketApp
    private let progress = Progress()
    /// Signalled when the connection is opened for the first time.
    private let opened: WakeUp
    /// Signalled when the app's run is over.
    private let ended: WakeUp

    init(target: Target, _ arguments: WSDump) throws {
        self.target = target
        sending = arguments.sending
        connecting = arguments.connecting
        let showing = arguments.showing
        joinsFragments = showing.join
        console = Console(showing.raw || showing.json ? .plain : .ofTerminal)
        transcript = Transcript(
            isVerbose: showing.verbose >= 1,
            showsTimings: showing.timings,
            isJSON: showing.json
        )
        opened = try WakeUp()
        ended = try WakeUp()
        app = WebSocketApp(url: target.url, options: target.options)
        if sending.receipts { app.replay = .unacknowledged(limit: 16 << 20) }
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
            if opcode != .continuation {
                progress.isText.store(opcode == .text, ordering: .relaxed)
            }
            let isText = progress.isText.load(ordering: .relaxed)
            let frame = ReceivedFrame(
                opcode: opcode,
                payload: payload,
                isFinal: isFinal,
                isText: isText
            )
            show(.frame(frame))
        }
        // With this set, fragments come one by one.
        if !joinsFragments { app.onContinuation = { _, _, _ in } }
        app.onPing = { _, payload in show(.frame(ReceivedFrame(opcode: .ping, payload: payload))) }
        app.onPong = { _, payload in show(.frame(ReceivedFrame(opcode: .pong, payload: payload))) }
        app.onError = { _, error in console.note("wsdump: \(error)") }
        app.onClose = { _, code, reason in
            // After a failed attempt, there is no end to show.
            guard progress.isOpen.exchange(false, ordering: .relaxed) else { return }
            show(.close(code, reason: reason))
            if !transcript.isVerbose {
                console.say("Connection closed: \(Transcript.words(code, reason))")
            }
        }
    }

    /// Runs until the connection has ended, and returns the exit status.
    func run() -> Int32 {
        let signals = watchSignals()
        defer { withExtendedLifetime(signals) {} }
        do {
            try Threads.start { [self] in connect() }
            try converse()
        } catch {
            // The wait is aborted when the connection has ended.
        }
        app.close()
        var nothing: [PollEntry] = []
        _ = try? Poll.wait(for: &nothing, wakeUp: ended, until: .after(.seconds(10)))
        console.finish()
        let termination = progress.termination.load(ordering: .relaxed)
        // The same status as when it ends without waiting for the connection.
        if termination > 0, app.lastCloseFrame == nil { return 128 + termination }
        return progress.hasFailed.load(ordering: .relaxed) ? 1 : 0
    }

    private func connect() {
        defer { ended.signal() }
        do {
            let interval = connecting.pingInterval?.duration
            let hasErrored = try app.runForever(
                pingInterval: interval,
                // As long as possible below the interval, with some tolerance for late timers.
                pingTimeout: interval.map { $0 * 0.9 },
                reconnect: connecting.reconnect.map { .every($0.duration) }
            )
            // With --reconnect, errors along the way don't count.
            guard hasErrored, !progress.isEndedByUser.load(ordering: .relaxed) else { return }
        } catch {
            console.note("wsdump: \(error)")
        }
        progress.hasFailed.store(true, ordering: .relaxed)
    }

    // MARK: Sending

    /// Sends the messages, files and lines; throws when the connection has ended.
    private func converse() throws {
        var entries = [PollEntry(opened.descriptor, for: .read)]
        _ = try Poll.wait(for: &entries, wakeUp: ended, until: .never)
        console.say("Press Ctrl+C to quit")
        console.start()
        if let text = sending.text {
            send(Array(text.utf8)[...], as: sending.binary ? .binary : .text)
        }
        for path in sending.file { send(file: path) }
        while true {
            entries = [PollEntry(STDIN_FILENO, for: .read)]
            _ = try Poll.wait(for: &entries, wakeUp: ended, until: .never)
            guard let inputs = readInputs() else { continue }
            for input in inputs {
                switch input {
                case .line(let line): send(line: line)
                case .interrupt: return interrupt()
                case .end:
                    if sending.receipts { awaitReceipts() }
                    entries = []
                    let limit = Deadline.after(sending.eofWait.duration)
                    _ = try Poll.wait(for: &entries, wakeUp: ended, until: limit)
                    progress.isEndedByUser.store(true, ordering: .relaxed)
                    return
                }
            }
        }
    }

    /// What standard input has now; `nil` if nothing yet.
    private func readInputs() -> [Console.Input]? {
        do throws(ErrorNumber) {
            switch try StandardStreams.read(atMost: 64 << 10) {
            case .bytes(let bytes): return console.type(bytes)
            case .nothing: return nil
            case .end: return console.type(nil)
            }
        } catch {
            failed("standard input can't be read: \(error)")
            return console.type(nil)
        }
    }

    private func send(line: [UInt8]) {
        var line = line[...]
        if sending.binary { return send(line, as: .binary) }
        // Piped files may end lines with CR LF; at the prompt, a CR was typed on purpose.
        if !console.style.prompts, line.last == 0x0D { line.removeLast() }
        guard String(validating: line, as: UTF8.self) != nil else {
            return failed("a line was not sent: it is not UTF-8; use --binary to send it anyway")
        }
        send(line, as: .text)
    }

    private func send(_ bytes: ArraySlice<UInt8>, as opcode: Opcode) {
        do {
            // Kept messages aren't fragmented.
            guard let size = sending.fragment?.bytes, bytes.count > size, !sending.receipts else {
                try app.send(Array(bytes), opcode: opcode)
                return
            }
            guard let socket = app.socket else {
                return failed("a line was not sent: the connection is closed")
            }
            let starts = stride(from: bytes.startIndex, to: bytes.endIndex, by: size)
            let fragments = starts.map { Array(bytes[$0..<min($0 + size, bytes.endIndex)]) }
            try socket.send(fragments: fragments, as: opcode)
        } catch {
            failed("a line was not sent: \(error)")
        }
    }

    private func send(file path: String) {
        do {
            if sending.receipts { return try sendKept(file: path) }
            guard let socket = app.socket else {
                return failed("\(path) was not sent: the connection is closed")
            }
            let framing: FileFraming =
                sending.fragment.map { .oneMessage(fragmentBytes: $0.bytes) } ?? .oneMessage()
            let opcode: Opcode = sending.binary ? .binary : .text
            try socket.send(contentsOf: path, as: opcode, framing: framing)
        } catch WebSocketError.invalidPayload {
            failed("\(path) was not sent: it is not UTF-8; use --binary to send it anyway")
        } catch {
            failed("\(path) was not sent: \(error)")
        }
    }

    /// Sends a file as kept messages.
    private func sendKept(file path: String) throws {
        let reader = try FileReader(path: path)
        var piece: [UInt8] = []
        var isAtEnd = false
        // A piece of text has room for at least one character.
        let size = max(sending.fragment?.bytes ?? 64 << 10, sending.binary ? 1 : 4)
        repeat {
            var read = [UInt8](repeating: 0, count: size - piece.count)
            let count = try read.withUnsafeMutableBytes { try reader.read(into: $0) }
            isAtEnd = count < read.count
            piece += read[..<count]
            var end = piece.count
            if !sending.binary, !isAtEnd { end = piece.lastBoundary }
            let isText = String(validating: piece[..<end], as: UTF8.self) != nil
            guard sending.binary || isText else { throw WebSocketError.invalidPayload(offset: 0) }
            if end > 0 {
                try app.send(Array(piece[..<end]), opcode: sending.binary ? .binary : .text)
            }
            piece.removeFirst(end)
        } while !isAtEnd
    }

    /// Waits until all messages have been acknowledged, or the app has given up, and reports the
    /// result.
    private func awaitReceipts() {
        do {
            try app.waitUntilAcknowledged()
        } catch {
            failed("\(app.replayStatus.keptMessages) messages were not acknowledged")
        }
        let status = app.replayStatus
        console.note(
            "wsdump: \(status.acknowledgedMessages) messages acknowledged, "
                + "\(status.sentAgain) sent again"
        )
    }

    private func failed(_ line: String) {
        console.note("wsdump: " + line)
        progress.hasFailed.store(true, ordering: .relaxed)
    }

    // MARK: Signals

    private func watchSignals() -> [SignalWatch] {
        let interruption = try? SignalWatch(SIGINT) { [self] in interrupt() }
        let terminations = [SIGTERM, SIGHUP, SIGQUIT].map { number in
            try? SignalWatch(number) { [self] in terminate(by: number) }
        }
        var watches = ([interruption] + terminations).compactMap { $0 }
        guard console.style.prompts else { return watches }
        let console = console
        // Ctrl-Z: give the shell its terminal back; fg will show the prompt again.
        let stop = try? SignalWatch(SIGTSTP) {
            console.stop()
            // Not kill(2), which may stop another thread first while this one goes on.
            raise(SIGSTOP)
            console.start()
        }
        let resize = try? SignalWatch(SIGWINCH) { console.redraw() }
        watches += [stop, resize].compactMap { $0 }
        return watches
    }

    /// The first signal closes cleanly; the second ends the program at once.
    private func interrupt() {
        if progress.isEndedByUser.exchange(true, ordering: .relaxed) { endNow(status: 130) }
        app.close()
    }

    /// Closes cleanly if the server answers soon, and ends the program after a second in any case.
    ///
    /// Output that nobody reads, a line that the server doesn't take, or anything else that blocks a
    /// thread can't prevent that.
    private func terminate(by number: Int32) {
        progress.isEndedByUser.store(true, ordering: .relaxed)
        if progress.isOpen.load(ordering: .relaxed) {
            progress.termination.store(number, ordering: .relaxed)
        }
        app.close(timeout: .milliseconds(800))
        do {
            try Threads.start { [self] in
                var nothing: [PollEntry] = []
                _ = try? Poll.wait(for: &nothing, wakeUp: nil, until: .after(.seconds(1)))
                endNow(status: 128 + number)
            }
        } catch {
            endNow(status: 128 + number)
        }
    }

    /// Ends the program without waiting for any other thread.
    private func endNow(status: Int32) -> Never {
        console.restoreTerminal()
        _exit(status)
    }
}

extension [UInt8] {
    /// Where an incomplete last character begins; the end if the last one is complete.
    fileprivate var lastBoundary: Int {
        var index = count
        while index > 0, count - index < 4 {
            index -= 1
            if self[index] & 0xC0 != 0x80 { return self[index] < 0x80 ? count : index }
        }
        return count
    }
}
