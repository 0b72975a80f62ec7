/// One attempt to open a connection, which can be ended at any time: before it has begun, while it
/// lasts, and after it has succeeded.
final class OpeningAttempt: Sendable {
    private enum State {
        case waiting
        case running(WakeUp)
        case ended
        case cancelled
    }

    let socket: WebSocket
    private let url: String
    private let state = Locked(State.waiting)

    init(_ socket: WebSocket, to url: String) {
        self.socket = socket
        self.url = url
    }

    deinit {
        // It owns the caller's socket, whether or not it succeeds.
        socket.closeAdoptedSocket()
    }

    /// Whether no thread has begun to work on it.
    var isWaiting: Bool {
        state.withLock { if case .waiting = $0 { true } else { false } }
    }

    /// Opens the connection; blocks as long as the options' time-outs allow, or until it is cancelled.
    func run() -> Result<Void, WebSocketError> {
        Result { () throws(WebSocketError) in
            let wakeUp: WakeUp
            do throws(TransportError) { wakeUp = try WakeUp() } catch {
                throw WebSocketError(error, during: .connecting)
            }
            let begins = state.withLock { state in
                guard case .waiting = state else { return false }
                state = .running(wakeUp)
                return true
            }
            guard begins else { throw .aborted }
            defer { end() }
            try socket.open(url, endedBy: wakeUp)
        }
    }

    /// Ends the attempt, and the connection that it has opened. For any thread; doesn't wait.
    func cancel() {
        let wakeUp = state.withLock { state in
            defer { state = .cancelled }
            if case .running(let wakeUp) = state { return wakeUp as WakeUp? } else { return nil }
        }
        wakeUp?.signal()
        socket.abort()
    }

    private func end() {
        state.withLock { state in if case .running = state { state = .ended } }
    }
}

/// Threads that open connections, so that a server that doesn't answer holds up nobody else.
///
/// The first 16 attempts get a thread each. An attempt for which no thread is free gets one
/// of its own after 100 ms, up to 256 in all; only while 256 servers at a time don't answer does a 257th
/// attempt wait for one of their time-outs. Threads end when nothing is left to open.
final class Connectors: Sendable {
    typealias Completion = @Sendable (Result<Void, WebSocketError>) -> Void

    private struct Pool {
        var waiting: [(attempt: OpeningAttempt, completion: Completion)] = []
        var threads = 0

        /// Whether one more thread is wanted and allowed.
        mutating func addThread(upTo limit: Int) -> Bool {
            guard threads < limit, !waiting.isEmpty else { return false }
            threads += 1
            return true
        }
    }

    private let pool = Locked(Pool())

    static let promptThreads = 16
    static let maximumThreads = 256
    /// How long an attempt waits for a thread to become free.
    static let patience = Duration.milliseconds(100)

    /// Adds an attempt; `completion` is called on a thread of its own.
    ///
    /// - Returns: Whether a thread is there for it; otherwise call ``relieve(_:)`` after ``patience``.
    func start(_ attempt: OpeningAttempt, completion: @escaping Completion) -> Bool {
        let needsThread = pool.withLock { pool in
            pool.waiting.append((attempt, completion))
            return pool.addThread(upTo: Self.promptThreads)
        }
        if needsThread { startThread() }
        return needsThread
    }

    /// Adds a thread if the attempt still waits for one.
    func relieve(_ attempt: OpeningAttempt) {
        guard attempt.isWaiting else { return }
        if pool.withLock({ $0.addThread(upTo: Self.maximumThreads) }) { startThread() }
    }

    private func startThread() {
        do throws(TransportError) {
            try Threads.start { [self] in work() }
        } catch {
            // Other threads will take the waiting attempts; if there are none, this thread does.
            let isLast = pool.withLock { pool in
                guard pool.threads > 1 else { return true }
                pool.threads -= 1
                return false
            }
            if isLast { work() }
        }
    }

    private func work() {
        while let (attempt, completion) = next() { completion(attempt.run()) }
    }

    private func next() -> (OpeningAttempt, Completion)? {
        pool.withLock { pool in
            if pool.waiting.isEmpty {
                pool.threads -= 1
                return nil
            }
            let (attempt, completion) = pool.waiting.removeFirst()
            return (attempt, completion)
        }
    }
}
