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
/// holds up all apps. So does one that sends to a peer that reads nothing, for at most
/// ``Timeouts/send``, 60 s unless the app's ``WebSocketApp/options`` say less: send much from another
/// thread, which holds up no app.
///
/// Connections are opened by helper threads, which end when nothing is left to open. The
/// first 16 attempts get a thread each; an attempt for which no thread is free gets another after
/// 100 ms, up to 256 threads. So servers that don't answer hold up the other apps for 100 ms at most,
/// unless 256 of them keep an attempt waiting at the same time.
///
/// The dispatcher keeps its apps until they have ended; an app doesn't keep its dispatcher. If a
/// dispatcher is let go of before ``dispatch()`` was called, its apps no longer run.
///
/// A thousand idle connections take this one thread, and about 8 KB each beyond their sockets
/// (`Tests/Programs/crowd` measures it).
public final class Dispatcher: @unchecked Sendable {
    // Safe to send: what other threads reach is in `shared`, `connectors` and the loop's mailbox; the rest
    // of the loop belongs to the dispatching thread, of which there is one at a time.
    private struct Shared {
        var isDispatching = false
        /// The apps that were given to it and have not ended, by their keys.
        var apps: [Int: WebSocketApp] = [:]
        var signals: [SignalWatch] = []
    }

    private let loop: EventLoop
    private let shared = Locked(Shared())
    /// `nil` for a single app, which holds up nobody: it connects on the thread that it runs on.
    private let connectors: Connectors?

    /// Makes a dispatcher with nothing to do.
    ///
    /// - Throws: ``WebSocketError/system(call:number:description:)`` if the process is out of
    ///   descriptors.
    public convenience init() throws {
        try self.init(connectsInline: false)
    }

    init(connectsInline: Bool) throws(WebSocketError) {
        connectors = connectsInline ? nil : Connectors()
        do throws(TransportError) {
            loop = try EventLoop()
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
    }

    deinit { abandonApps() }

    // MARK: What users call

    /// Runs the apps that were or will be given to this dispatcher, until all of them have ended.
    ///
    /// Blocks. An app without reconnection ends with its connection. Functions that are scheduled
    /// keep it running too. Signals are watched until it returns.
    ///
    /// - Throws: ``WebSocketError``: `invalidArgument` if it is running already; `system` if the
    ///   system doesn't let it wait, and then its apps no longer run, and their connections are aborted
    ///   without a callback.
    public func dispatch() throws {
        let isFree = shared.withLock { shared in
            defer { shared.isDispatching = true }
            return !shared.isDispatching
        }
        guard isFree else {
            throw WebSocketError.invalidArgument("The dispatcher is running already.")
        }
        defer { endWatching() }
        do throws(TransportError) {
            try loop.run()
        } catch {
            abandonApps()
            throw WebSocketError(error, during: .receiving)
        }
    }

    /// Closes all apps, and drops the functions that are scheduled; ``dispatch()`` returns when the
    /// apps have ended, within their close time-out. Attempts to connect end at once. For any thread.
    public func stop() {
        loop.post { [weak self] in self?.loop.dropFunctions() }
        let apps = shared.withLock { Array($0.apps.values) }
        for app in apps { app.close() }
    }

    /// Calls a function once, on the dispatching thread.
    ///
    /// For any thread.
    ///
    /// - Parameters:
    ///   - delay: When, counted from now.
    ///   - body: The function.
    public func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        let deadline = Deadline.after(delay)
        loop.post { [weak self] in self?.loop.schedule(at: deadline, body) }
    }

    /// Calls a function on the dispatching thread whenever the process gets a signal, in place of
    /// the signal's usual effect, until ``dispatch()`` returns.
    ///
    /// The dispatcher keeps the function until then: one that captures the dispatcher keeps the
    /// dispatcher too. In a process that fork(2) has made the signal has its usual effect.
    ///
    /// - Parameters:
    ///   - number: The signal, such as `SIGINT`.
    ///   - body: The function, such as one that calls ``stop()``.
    /// - Throws: ``WebSocketError``: `system` or `invalidArgument` for a signal that can't be watched.
    public func signal(
        _ number: Int32,
        _ body: @escaping @Sendable () -> Void
    ) throws {
        do throws(TransportError) {
            let watch = try SignalWatch(number) { [weak loop] in loop?.post(body) }
            shared.withLock { $0.signals.append(watch) }
        } catch {
            throw WebSocketError(error, during: .receiving)
        }
    }

    // MARK: What apps and sessions call

    /// A key for an app that is about to start.
    func makeKey() -> Int { loop.makeKey() }

    func start(_ app: WebSocketApp, _ plan: RunPlan, key: Int) {
        shared.withLock { $0.apps[key] = app }
        loop.post { [weak self] in
            guard let self else { return }
            loop.add(AppSession(key: key, app: app, plan: plan, dispatcher: self), key: key)
        }
    }

    /// Looks at an app again. For any thread.
    func nudge(_ key: Int) { loop.nudge(key) }

    /// Makes an attempt to connect, and reports its end to the session on the dispatching thread.
    func connect(_ attempt: OpeningAttempt, for session: AppSession) {
        guard let connectors else { return session.connected(attempt, attempt.run()) }
        let hasThread = connectors.start(attempt) { [loop] result in
            loop.post { session.connected(attempt, result) }
            loop.nudge(session.key)
        }
        guard !hasThread else { return }
        let deadline = Deadline.after(Connectors.patience)
        loop.schedule(at: deadline, keepsRunning: false) { connectors.relieve(attempt) }
    }

    func stopWaiting(_ key: Int) { loop.stopWaiting(key) }

    func remove(_ session: AppSession) {
        loop.remove(session.key)
        let app = shared.withLock { $0.apps.removeValue(forKey: session.key) }
        withExtendedLifetime(app) {}
    }

    // MARK: Inside

    private func endWatching() {
        let signals = shared.withLock { shared in
            let signals = shared.signals
            shared.signals = []
            shared.isDispatching = false
            return signals
        }
        withExtendedLifetime(signals) {}
    }

    /// Ends the apps that have not ended, at once.
    private func abandonApps() {
        loop.removeAll()
        let apps = shared.withLock { shared in
            let apps = shared.apps
            shared.apps = [:]
            return apps
        }
        for (key, app) in apps { app.endRun(key) }
    }
}
