import WebSocketProtocol

extension WebSocketApp {
    // MARK: Facts

    /// Whether the app runs: from `runForever` to the end of its last connection.
    public var isRunning: Bool { state.withLock { $0.run != nil } }

    /// Whether the present run, or the last one, has reported a connection's error.
    public var hasErrored: Bool { self[\.hasErrored] }

    /// When the last keepalive ping was sent.
    public var lastPing: ContinuousClock.Instant? { self[\.lastPing] }

    /// When the last pong arrived.
    public var lastPong: ContinuousClock.Instant? { self[\.lastPong] }

    /// How long the last keepalive ping that was answered took there and back; `nil` before the
    /// first one.
    public var roundTripTime: Duration? { self[\.roundTripTime] }

    /// The peer's close frame on the last connection that ended; `nil` if none came, and before any
    /// connection has ended.
    public var lastCloseFrame: ClosePayload? { self[\.lastCloseFrame] }

    // MARK: Choices

    /// The options of the next attempt to connect.
    public var options: ConnectOptions {
        get { self[\.options] }
        set { self[\.options] = newValue }
    }

    /// The header fields of the next attempt to connect, besides those of ``options``.
    public var headers: RequestHeaders {
        get { self[\.headers] }
        set { self[\.headers] = newValue }
    }

    /// The former name of ``headers``.
    @available(*, unavailable, renamed: "headers")
    public var header: RequestHeaders {
        get { headers }
        set { headers = newValue }
    }

    /// How a silent peer is noticed, unless `runForever` is given other values. Default: not at all.
    public var keepalive: Keepalive? {
        get { self[\.keepalive] }
        set { self[\.keepalive] = newValue }
    }

    /// Whether and when to connect again, unless `runForever` is given another plan. Default: never.
    public var reconnection: Reconnection? {
        get { self[\.reconnection] }
        set { self[\.reconnection] = newValue }
    }

    /// Whether a run keeps messages until they have been acknowledged, to send them again after a drop.
    /// Read when a run begins. Default: no.
    public var replay: Replay? {
        get { self[\.replay] }
        set { self[\.replay] = newValue }
    }

    // MARK: Callbacks

    /// Called when a connection is open.
    public var onOpen: Callback? {
        get { self[\.callbacks.onOpen] }
        set { self[\.callbacks.onOpen] = newValue }
    }

    /// Called in place of ``onOpen`` for every connection of a run but the first.
    public var onReconnect: Callback? {
        get { self[\.callbacks.onReconnect] }
        set { self[\.callbacks.onReconnect] = newValue }
    }

    /// Called with each message.
    public var onMessage: MessageCallback? {
        get { self[\.callbacks.onMessage] }
        set { self[\.callbacks.onMessage] = newValue }
    }

    /// Called with the payload of each message, before ``onMessage``.
    public var onData: DataCallback? {
        get { self[\.callbacks.onData] }
        set { self[\.callbacks.onData] = newValue }
    }

    /// Called with each fragment of a message but the first, which goes to ``onMessage``. If it is
    /// set when a connection opens, fragments are delivered as they arrive.
    public var onContinuation: ContinuationCallback? {
        get { self[\.callbacks.onContinuation] }
        set { self[\.callbacks.onContinuation] = newValue }
    }

    /// Called with each error: once for a connection that ended abnormally or could not be opened, and
    /// once for each error that another callback throws.
    public var onError: ErrorCallback? {
        get { self[\.callbacks.onError] }
        set { self[\.callbacks.onError] = newValue }
    }

    /// Called once for each connection that has ended or could not be opened.
    public var onClose: CloseCallback? {
        get { self[\.callbacks.onClose] }
        set { self[\.callbacks.onClose] = newValue }
    }

    /// Called with each ping, after it has been answered.
    public var onPing: ControlCallback? {
        get { self[\.callbacks.onPing] }
        set { self[\.callbacks.onPing] = newValue }
    }

    /// Called with each pong.
    public var onPong: ControlCallback? {
        get { self[\.callbacks.onPong] }
        set { self[\.callbacks.onPong] = newValue }
    }

    // MARK: Inside

    /// A part of the state, for any thread. A replaced value is released outside the lock: releasing
    /// what a callback captures may run any code.
    @inline(__always)
    private subscript<Value: Sendable>(
        _ part: any WritableKeyPath<State, Value> & Sendable
    ) -> Value {
        get { state.withLock { $0[keyPath: part] } }
        set {
            var value = newValue
            state.withLock { swap(&$0[keyPath: part], &value) }
        }
    }
}
