import WebSocketProtocol

extension WebSocketApp {
    // MARK: Facts

    /// Whether it runs: from `runForever` to the end of its last
    /// connection.
    public var isRunning: Bool { state.withLock { $0.run != nil } }

    /// Whether the run, or the last one, has reported an error of a connection.
    public var hasErrored: Bool { self[\.hasErrored] }

    /// When the last keepalive ping was sent.
    public var lastPing: ContinuousClock.Instant? { self[\.lastPing] }

    /// When the last pong arrived.
    public var lastPong: ContinuousClock.Instant? { self[\.lastPong] }

    /// How long the last keepalive ping that was answered took there and back; `nil` before the
    /// first one.
    public var roundTripTime: Duration? { self[\.roundTripTime] }

    /// What the close frame of the last connection's peer carried; `nil` if it ended without one, and
    /// before any has ended.
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

    /// The name that ``headers`` had.
    @available(*, unavailable, renamed: "headers")
    public var header: RequestHeaders {
        get { headers }
        set { headers = newValue }
    }

    /// How a silent peer is noticed, if a run isn't told otherwise. Default: not at all.
    public var keepalive: Keepalive? {
        get { self[\.keepalive] }
        set { self[\.keepalive] = newValue }
    }

    /// Whether a run that isn't told otherwise connects again. Default: no.
    public var reconnection: Reconnection? {
        get { self[\.reconnection] }
        set { self[\.reconnection] = newValue }
    }

    /// Whether a run keeps what it sends until that has been acknowledged, to send it again after a drop.
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

    /// Called in place of ``onOpen`` when a connection is open that isn't the first of its run.
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

    /// Called with each error: once for a connection that ended abnormally or could not be
    /// opened, and once for whatever another callback throws.
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

    /// A part of the state, for any thread. The value that another replaces is let go of outside the
    /// lock: what a callback captures may run any code when it goes.
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
