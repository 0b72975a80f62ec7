/// Runs any number of ``WebSocketApp``s on one thread.
///
/// ```swift
/// import Foundation
///
/// let dispatcher = try Dispatcher()
/// for url in urls {
///     let app = WebSocketApp(url: url, onMessage: { app, message in print(app.url, message) })
///     try app.runForever(dispatcher: dispatcher, reconnect: .every(.seconds(5)))
/// }
/// try dispatcher.signal(SIGINT) { dispatcher.stop() }
/// try dispatcher.dispatch()
/// ```
///
/// All callbacks come on the thread that called ``dispatch()``, one at a time; one that takes long
/// holds up all apps. So does one that sends to a peer which reads nothing, for at most
/// ``Timeouts/send``, 60 s unless the app's ``WebSocketApp/options`` say less: send much from another
/// thread, which holds up nobody. Connections are opened by a few helper threads, which end when
/// nothing is left to open, so that an app whose server doesn't answer holds up nobody.
///
/// A thousand idle connections take this one thread, and about 8 KB each beyond their sockets
/// (`Tests/Programs/crowd` measures it).
public final class Dispatcher: @unchecked Sendable {
    // Safe to send: what other threads reach is in `shared`; the rest belongs to the dispatching
    // thread, of which there is one at a time.
    private enum Job {
        case start(WebSocketApp, RunPlan, key: Int)
        case connected(key: Int, Result<Void, WebSocketError>)
        case nudge(key: Int)
        case schedule(Deadline, @Sendable () -> Void)
        case stop
    }

    private struct Connecting: Sendable {
        var socket: WebSocket
        var url: String
        var key: Int
    }

    private struct Shared {
        var jobs: [Job] = []
        var isDispatching = false
        var lastKey = 0
        var waiting: [Connecting] = []
        var connectors = 0
        var signals: [SignalWatch] = []
    }

    private let poller: Poller
    private let shared = Locked(Shared())
    /// With a single app there is nobody to hold up: it connects on the thread that it runs on.
    private let connectsInline: Bool

    private var sessions: [Int: AppSession] = [:]
    private var scheduled: [Int: @Sendable () -> Void] = [:]
    private var timers = TimerQueue()
    /// Sessions that have more to do at once.
    private var busy: Set<Int> = []

    private static let maximumConnectors = 16

    /// Makes a dispatcher with nothing to do.
    ///
    /// - Throws: ``WebSocketError/system(call:number:description:)`` if the process is out of
    ///   descriptors.
    public convenience init() throws {
        try self.init(connectsInline: false)
    }

    init(connectsInline: Bool) throws(WebSocketError) {
        self.connectsInline = connectsInline
        do throws(TransportError) {
            poller = try Poller()
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
    }

    // MARK: What users call

    /// Runs the apps that were or will be given to this dispatcher, until all of them have ended.
    ///
    /// Blocks. An app without reconnection ends with its connection. Functions that are scheduled
    /// keep it running too.
    ///
    /// - Throws: ``WebSocketError``: `invalidArgument` if it is running already, `system` if the
    ///   system doesn't let it wait.
    public func dispatch() throws {
        let isFree = shared.withLock { shared in
            defer { shared.isDispatching = true }
            return !shared.isDispatching
        }
        guard isFree else {
            throw WebSocketError.invalidArgument("The dispatcher is running already.")
        }
        defer { shared.withLock { $0.isDispatching = false } }
        var ready: [(key: Int, interest: Interest)] = []
        while true {
            runJobs()
            runTimers()
            for key in busy { advance(key, ready: .read) }
            if isIdle { return }
            let deadline = busy.isEmpty && !hasJobs ? timers.earliest : .after(.zero)
            do throws(TransportError) {
                try poller.wait(until: deadline, ready: &ready)
            } catch {
                throw WebSocketError(error, during: .receiving)
            }
            for (key, interest) in ready { advance(key, ready: interest) }
        }
    }

    /// Closes all apps, and drops the functions that are scheduled; ``dispatch()`` returns when the
    /// apps have ended, within their close time-out. For any thread.
    public func stop() { post(.stop) }

    /// Calls a function once, on the dispatching thread.
    ///
    /// For any thread.
    ///
    /// - Parameters:
    ///   - delay: When, counted from now.
    ///   - body: The function.
    public func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        post(.schedule(.after(delay), body))
    }

    /// Calls a function on the dispatching thread whenever the process gets a signal, in place of
    /// the signal's usual effect, for as long as the dispatcher exists.
    ///
    /// - Parameters:
    ///   - number: The signal, such as `SIGINT`.
    ///   - body: The function, such as one that calls ``stop()``.
    /// - Throws: ``WebSocketError/system(call:number:description:)`` for a signal that can't be had.
    public func signal(
        _ number: Int32,
        _ body: @escaping @Sendable () -> Void
    ) throws {
        do throws(TransportError) {
            let watch = try SignalWatch(number) { [weak self] in
                self?.post(.schedule(.after(.zero), body))
            }
            shared.withLock { $0.signals.append(watch) }
        } catch {
            throw WebSocketError(error, during: .receiving)
        }
    }

    // MARK: What apps and sessions call

    /// A key for an app that is about to start.
    func nextKey() -> Int {
        shared.withLock { shared in
            shared.lastKey += 1
            return shared.lastKey
        }
    }

    func start(_ app: WebSocketApp, _ plan: RunPlan, key: Int) {
        post(.start(app, plan, key: key))
    }

    /// Looks at an app again. For any thread.
    func nudge(_ key: Int) { post(.nudge(key: key)) }

    func connect(_ socket: WebSocket, to url: String, for session: AppSession) {
        let job = Connecting(socket: socket, url: url, key: session.key)
        if connectsInline { return session.connected(Self.connect(job)) }
        let needsThread = shared.withLock { shared in
            shared.waiting.append(job)
            guard shared.connectors < Self.maximumConnectors else { return false }
            shared.connectors += 1
            return true
        }
        guard needsThread else { return }
        do throws(TransportError) {
            try Threads.start { [self] in connectWaiting() }
        } catch {
            // No thread is to be had: this one will have to do.
            connectWaiting()
        }
    }

    func forget(_ descriptor: Int32) { poller.remove(descriptor) }

    func remove(_ session: AppSession) {
        sessions[session.key] = nil
        busy.remove(session.key)
    }

    // MARK: Inside

    private func post(_ job: Job) {
        shared.withLock { $0.jobs.append(job) }
        poller.wake()
    }

    private var hasJobs: Bool { shared.withLock { !$0.jobs.isEmpty } }

    private var isIdle: Bool { sessions.isEmpty && scheduled.isEmpty && !hasJobs }

    private static func connect(_ job: Connecting) -> Result<Void, WebSocketError> {
        Result { () throws(WebSocketError) in try job.socket.open(job.url) }
    }

    /// What a helper thread does until nothing is left to open.
    private func connectWaiting() {
        while let job = nextToConnect() {
            post(.connected(key: job.key, Self.connect(job)))
        }
    }

    private func nextToConnect() -> Connecting? {
        shared.withLock { shared in
            if shared.waiting.isEmpty {
                shared.connectors -= 1
                return nil
            }
            return shared.waiting.removeFirst()
        }
    }

    private func runJobs() {
        let jobs = shared.withLock { shared in
            defer { shared.jobs = [] }
            return shared.jobs
        }
        for job in jobs {
            switch job {
            case .start(let app, let plan, let key):
                let session = AppSession(key: key, app: app, plan: plan, dispatcher: self)
                sessions[key] = session
                session.start()
                advance(key, ready: [])
            case .connected(let key, let result):
                sessions[key]?.connected(result)
                advance(key, ready: [])
            case .nudge(let key):
                advance(key, ready: [])
            case .schedule(let deadline, let body):
                let key = nextKey()
                scheduled[key] = body
                timers.add(deadline, key: key)
            case .stop:
                scheduled = [:]
                for session in sessions.values { session.requestClose() }
                for key in Array(sessions.keys) { advance(key, ready: []) }
            }
        }
    }

    private func runTimers() {
        while let key = timers.popPast() {
            if let body = scheduled.removeValue(forKey: key) {
                body()
            } else if sessions[key]?.deadline.isPast == true {
                advance(key, ready: .read)
            }
        }
    }

    private func advance(_ key: Int, ready: Interest) {
        guard let session = sessions[key] else { return }
        if session.advance(ready: ready) { busy.insert(key) } else { busy.remove(key) }
        if let (descriptor, interest) = session.awaited {
            if interest.isEmpty {
                poller.remove(descriptor)
            } else {
                do throws(TransportError) {
                    try poller.set(interest, for: descriptor, key: key)
                } catch {
                    session.fail(WebSocketError(error, during: .receiving))
                }
            }
        }
        if let deadline = session.takeChangedDeadline() { timers.add(deadline, key: key) }
    }
}
