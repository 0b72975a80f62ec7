import WebSocketProtocol

/// What a run has been told.
struct RunPlan {
    var options: ConnectOptions
    var keepalive: Keepalive?
    var reconnection: Reconnection?
}

extension WebSocketApp {
    /// Connects, calls the callbacks as things happen, and returns when it is over: after
    /// ``close(code:reason:timeout:)``, or when a connection has ended and is not to be opened again.
    ///
    /// Blocks the calling thread, on which all callbacks come. The arguments are those of
    /// websocket-client; what is not given is taken from ``options``, ``keepalive`` and
    /// ``reconnection``.
    ///
    /// - Parameters:
    ///   - sockopt: Socket options, set after ``SocketOption/defaults``.
    ///   - sslopt: TLS, for wss URLs.
    ///   - pingInterval: The time between keepalive pings; see ``Keepalive``.
    ///   - pingTimeout: How long the peer may be silent after a ping; shorter than the interval.
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
    ///   - suppressOrigin: Whether there is no `Origin` field.
    ///   - suppressHost: Whether there is no `Host` field.
    ///   - proxyType: The protocol that is spoken with the proxy.
    ///   - reconnect: Whether and when to connect again.
    /// - Returns: Whether an error of a connection was reported; false for a clean end.
    /// - Throws: ``WebSocketError``: `invalidArgument` for arguments that can't be used, or if the
    ///   app is running already; `system` if the process is out of descriptors. Errors of connections
    ///   go to ``onError``.
    @discardableResult
    public func runForever(
        sockopt: [SocketOption]? = nil,
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
        if let sockopt { plan.options.socketOptions = sockopt }
        if let sslopt { plan.options.tls = sslopt }
        if skipUTF8Validation { plan.options.validatesUTF8 = false }
        plan.options.setFields(
            host: host,
            origin: origin,
            suppressHost: suppressHost,
            suppressOrigin: suppressOrigin
        )
        try plan.options.setProxy(
            proxyType,
            host: httpProxyHost,
            port: httpProxyPort,
            credentials: httpProxyAuth,
            noProxy: httpNoProxy,
            timeout: httpProxyTimeout
        )
        if let pingInterval, pingInterval != .zero {
            plan.keepalive = Keepalive(
                interval: pingInterval,
                timeout: pingTimeout,
                payload: Array(pingPayload.utf8)
            )
        }
        try plan.keepalive?.check()
        return try run(plan, on: dispatcher)
    }

    /// The reconnection of runs that aren't told otherwise, websocket-client's `set_reconnect`.
    /// Default: none.
    public static var defaultReconnection: Reconnection? {
        get { Defaults.shared.withLock { $0.reconnection } }
        set { Defaults.shared.withLock { $0.reconnection = newValue } }
    }

    private func run(_ plan: RunPlan, on shared: Dispatcher?) throws -> Bool {
        let dispatcher: Dispatcher
        if let shared {
            dispatcher = shared
        } else {
            dispatcher = try Dispatcher(connectsInline: true)
        }
        let key = dispatcher.nextKey()
        let isFree = state.withLock { state in
            guard state.run == nil else { return false }
            state.run = Run(dispatcher: dispatcher, key: key)
            state.hasErrored = false
            return true
        }
        guard isFree else { throw WebSocketError.invalidArgument("The app is running already.") }
        dispatcher.start(self, plan, key: key)
        guard shared == nil else { return false }
        do {
            try dispatcher.dispatch()
        } catch {
            state.withLock { $0.run = nil }
            throw error
        }
        return hasErrored
    }

    // MARK: What the session calls

    var closeRequest: CloseRequest? { state.withLock { $0.run?.closeRequest } }

    func options(for plan: RunPlan) throws -> ConnectOptions {
        var options = plan.options
        options.headers.replace(with: try headers.fields())
        // A socket of the caller's serves one connection.
        options.socket = state.withLock { $0.options.socket.take() }
        options.deliversFragments = options.deliversFragments || onContinuation != nil
        return options
    }

    func setSocket(_ socket: WebSocket?) {
        state.withLock { state in
            state.run?.socket = socket
            state.awaitedPong = nil
        }
    }

    func connectionEnded(_ received: ClosePayload?) {
        setSocket(nil)
        state.withLock { $0.lastCloseFrame = received }
    }

    /// Calls a callback; what it throws goes to ``onError``.
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
            // Of pings that are all alike, the first that waits is answered first.
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

    func runEnded() { state.withLock { $0.run = nil } }
}
