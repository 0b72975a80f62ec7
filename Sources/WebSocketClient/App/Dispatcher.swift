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
/// All callbacks run on the thread that called ``dispatch()``, one at a time; a slow one holds up all
/// apps. So does one that sends to a peer that isn't reading, for at most ``Timeouts/send`` (60 s by
/// default). Send large amounts from another thread, which holds up no app.
///
/// Connections are opened by helper threads, which end when nothing is left to open. The
/// first 16 attempts get a thread each; an attempt for which no thread is free gets another after
/// 100 ms, up to 256 threads. So servers that don't answer hold up the other apps for 100 ms at most,
/// unless 256 of them keep an attempt waiting at the same time.
///
/// The dispatcher keeps its apps until they have ended; an app doesn't keep its dispatcher. If a
/// dispatcher is released before ``dispatch()`` is called, its apps no longer run.
///
/// A thousand idle connections take this one thread, and about 8 KB each beyond their sockets
/// (`Tests/Programs/crowd` measures it).
public final class Dispatcher: @unchecked Sendable {
    // Safe to send: other threads reach only `shared`, `connectors` and the loop's mailbox; everything
    // else belongs to the dispatching thread, of which there is one at a time.
    private struct Shared {
        var isDispatching = false
        /// The apps that were given to it and have not ended, by their keys.
        var apps: [Int: WebSocketApp] = [:]
        var signals: [SignalWatch] = []
    }

    private let loop: EventLoop
    private let shared = Locked(Shared())
    /// `nil` for a single app, which connects on the thread that it runs on, as it holds up nobody.
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
    /// - Throws: ``WebSocketError``: `invalidArgument` if it is running already; `system` if waiting
    ///   for descriptors fails. Then its apps no longer run, and their connections are aborted without
    ///   a callback.
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

    /// Closes all apps and drops the scheduled functions; ``dispatch()`` returns when the apps have
    /// ended, within their close time-outs. Attempts to connect end at once. For any thread.
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
    /// dispatcher too. In a child made by fork(2), the signal has its usual effect.
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

    // MARK: For apps and sessions

    /// A key for an app that is about to start.
    func makeKey() -> Int { loop.makeKey() }

    func start(_ app: WebSocketApp, _ plan: RunPlan, key: Int) {
        shared.withLock { $0.apps[key] = app }
        loop.post { [weak self] in
            guard let self else { return }
            loop.add(AppSession(key: key, app: app, plan: plan, dispatcher: self), key: key)
        }
    }

    /// Has the loop look at an app again. For any thread.
    func nudge(_ key: Int) { loop.nudge(key) }

    /// Starts an attempt to connect, and reports the result to the session on the dispatching thread.
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

    /// Ends at once all apps that have not ended.
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
