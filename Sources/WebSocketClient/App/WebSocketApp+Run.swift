import WebSocketProtocol

/// The choices for one run.
struct RunPlan {
    var options: ConnectOptions
    var keepalive: Keepalive?
    var reconnection: Reconnection?
    /// The messages that the run keeps, if it keeps any.
    var replay: ReplayQueue?
}

extension WebSocketApp {
    /// Connects, calls the callbacks as things happen, and returns when it is over: after
    /// ``close(timeout:)``, or when a connection has ended and is not to be opened again.
    ///
    /// Blocks the calling thread, on which all callbacks come. The arguments are those of
    /// websocket-client; those that aren't given are taken from ``options``, ``keepalive`` and
    /// ``reconnection``.
    ///
    /// - Parameters:
    ///   - sockopt: Socket options, set after ``SocketOption/defaults`` and those of ``options``.
    ///   - sslopt: TLS, for wss URLs.
    ///   - pingInterval: The time between keepalive pings, at least 1 ms; zero for no pings. See
    ///     ``Keepalive``.
    ///   - pingTimeout: How long the peer may be silent after a ping; shorter than the interval. It and
    ///     the payload count only with `pingInterval`.
    ///   - pingPayload: What pings carry, at most 125 bytes of UTF-8.
    ///   - httpProxyHost: A proxy's name or address; the other proxy arguments count only with it.
    ///   - httpProxyPort: The proxy's port.
    ///   - httpNoProxy: The hosts that are reached directly.
    ///   - httpProxyAuth: The proxy's user and password.
    ///   - httpProxyTimeout: The limit of the proxy's handshake.
    ///   - skipUTF8Validation: Whether text isn't checked.
    ///   - host: The `Host` field.
    ///   - origin: The `Origin` field.
    ///   - dispatcher: Runs this app together with others: then the call returns false at once, and
    ///     ``Dispatcher/dispatch()`` does the work.
    ///   - suppressOrigin: Whether to send no `Origin` field.
    ///   - suppressHost: Whether to send no `Host` field.
    ///   - proxyType: The protocol that is spoken with the proxy.
    ///   - reconnect: Whether and when to connect again.
    /// - Returns: Whether an error of a connection was reported; false for a clean end.
    /// - Throws: ``WebSocketError``: `invalidArgument` for arguments that can't be used, or if the
    ///   app is running already; `system` if the process is out of descriptors. Errors of connections
    ///   go to ``onError``.
    @available(*, noasync)
    @discardableResult
    public func runForever(
        sockopt: [SocketOption] = [],
        sslopt: TLSOptions? = nil,
        pingInterval: Duration? = nil,
        pingTimeout: Duration? = nil,
        pingPayload: String = "",
        httpProxyHost: String? = nil,
        httpProxyPort: UInt16? = nil,
        httpNoProxy: [String]? = nil,
        httpProxyAuth: BasicCredentials? = nil,
        httpProxyTimeout: Duration? = nil,
        skipUTF8Validation: Bool = false,
        host: String? = nil,
        origin: String? = nil,
        dispatcher: Dispatcher? = nil,
        suppressOrigin: Bool = false,
        suppressHost: Bool = false,
        proxyType: Proxy.Kind = .http,
        reconnect: Reconnection? = nil
    ) throws -> Bool {
        var plan = state.withLock { state in
            RunPlan(
                options: state.options,
                keepalive: state.keepalive,
                reconnection: reconnect ?? state.reconnection ?? Self.defaultReconnection
            )
        }
        let arguments = PythonArguments(
            origin: origin,
            suppressOrigin: suppressOrigin,
            host: host,
            suppressHost: suppressHost,
            httpProxyHost: httpProxyHost,
            httpProxyPort: httpProxyPort,
            httpProxyAuth: httpProxyAuth,
            httpNoProxy: httpNoProxy,
            httpProxyTimeout: httpProxyTimeout,
            proxyType: proxyType,
            sockopt: sockopt,
            sslopt: sslopt,
            skipUTF8Validation: skipUTF8Validation
        )
        try arguments.apply(to: &plan.options)
        let keepalive = PythonKeepalive(
            pingInterval: pingInterval,
            pingTimeout: pingTimeout,
            pingPayload: pingPayload
        )
        try keepalive.apply(to: &plan.keepalive)
        return try run(plan, on: dispatcher)
    }

    /// The reconnection of apps that have no plan of their own; websocket-client's `set_reconnect`.
    /// Default: none.
    public static var defaultReconnection: Reconnection? {
        get { Defaults.shared.withLock { $0.reconnection } }
        set {
            // The former plan's closure is released outside the lock.
            var value = newValue
            Defaults.shared.withLock { swap(&$0.reconnection, &value) }
        }
    }

    private func run(_ plan: RunPlan, on shared: Dispatcher?) throws -> Bool {
        let dispatcher: Dispatcher
        if let shared {
            dispatcher = shared
        } else {
            dispatcher = try Dispatcher(connectsInline: true)
        }
        let key = dispatcher.makeKey()
        var plan = plan
        plan.replay = replay.map { replay in
            ReplayQueue(replay) { [weak dispatcher] in dispatcher?.nudge(key) }
        }
        var queue = plan.replay
        let isFree = state.withLock { state in
            guard state.run == nil else { return false }
            state.run = Run(dispatcher: dispatcher, key: key)
            state.hasErrored = false
            swap(&state.replayQueue, &queue)
            return true
        }
        // The former run's is released outside the lock.
        withExtendedLifetime(queue) {}
        guard isFree else { throw WebSocketError.invalidArgument("The app is running already.") }
        dispatcher.start(self, plan, key: key)
        guard shared == nil else { return false }
        try dispatcher.dispatch()
        return hasErrored
    }

    // MARK: The run

    /// Where the run stands.
    var phase: RunPhase { state.withLock { $0.run?.phase ?? .ended } }

    /// Asks for the end of the run; for any thread.
    func requestClose(_ request: CloseRequest) {
        let run = state.withLock {
            state -> (former: RunPhase, dispatcher: Dispatcher?, key: Int)? in
            guard let former = state.run?.phase, let key = state.run?.key,
                state.run?.phase.requestClose(request) == true
            else { return nil }
            return (former, state.run?.dispatcher, key)
        }
        guard let run else { return }
        if case .connecting(let attempt) = run.former { attempt.cancel() }
        run.dispatcher?.nudge(run.key)
    }

    /// Makes a transition; false if it isn't possible any more. Replaced values are released outside
    /// the lock.
    @discardableResult
    func transition(_ change: (inout RunPhase) -> Bool) -> Bool {
        let (isDone, former) = state.withLock { state -> (Bool, RunPhase?) in
            guard var phase = state.run?.phase else { return (false, nil) }
            let former = phase
            let isDone = change(&phase)
            state.run?.phase = phase
            return (isDone, former)
        }
        withExtendedLifetime(former) {}
        return isDone
    }

    /// Ends the run, and what is left of its connection.
    func endRun(_ key: Int) {
        let (former, replay) = state.withLock { state -> (RunPhase?, ReplayQueue?) in
            guard state.run?.key == key, let former = state.run?.phase else { return (nil, nil) }
            state.run = nil
            return (former, state.replayQueue)
        }
        replay?.finish()
        former?.abandon()
    }

    // MARK: For the session

    func options(for plan: RunPlan) throws -> ConnectOptions {
        var options = plan.options
        options.headers.replace(with: try headers.fields())
        // The caller's socket serves one connection.
        options.socket = state.withLock { $0.options.socket.take() }
        options.deliversFragments = options.deliversFragments || onContinuation != nil
        return options
    }

    /// The connection is another one: pings that the former has not answered never will be.
    func forgetPings() { state.withLock { $0.awaitedPong = nil } }

    /// A connection is open, the first of the run or a further one.
    func connectionBegan(_ traffic: Traffic, isFirst: Bool) {
        state.withLock { state in
            state.countConnection()
            state.traffic = traffic
            if !isFirst { state.statistics.reconnections += 1 }
        }
    }

    /// The connection has ended, or there was none. False if the run ends with it.
    func connectionEnded(_ received: ClosePayload?) -> Bool {
        state.withLock { state in
            state.awaitedPong = nil
            state.lastCloseFrame = received
            state.countConnection()
        }
        return transition { $0.drop() }
    }

    /// Calls a callback; its errors go to ``onError``.
    func perform(_ callback: (WebSocketApp) throws -> Void) {
        do { try callback(self) } catch { onError?(self, error) }
    }

    func report(_ error: WebSocketError) {
        state.withLock { $0.hasErrored = true }
        onError?(self, error)
    }

    func pingLeaves(_ payload: [UInt8]) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.lastPing = now
            // Of pings with equal payloads, the oldest is answered first.
            if state.awaitedPong?.payload != payload { state.awaitedPong = (payload, now) }
        }
    }

    func pongArrived(_ payload: [UInt8]) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.lastPong = now
            guard let awaited = state.awaitedPong, awaited.payload == payload else { return }
            state.roundTripTime = awaited.since.duration(to: now)
            state.awaitedPong = nil
        }
    }
}
