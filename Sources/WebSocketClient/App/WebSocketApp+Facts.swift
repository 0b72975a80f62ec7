import WebSocketProtocol

extension WebSocketApp {
    // MARK: Facts

    /// Whether it runs: from `runForever` to the end of its last
    /// connection.
    public var isRunning: Bool { state.withLock { $0.run != nil } }

    /// Whether the run, or the last one, has reported an error of a connection.
    public var hasErrored: Bool { state.withLock { $0.hasErrored } }

    /// When the last keepalive ping was sent.
    public var lastPing: ContinuousClock.Instant? { state.withLock { $0.lastPing } }

    /// When the last pong arrived.
    public var lastPong: ContinuousClock.Instant? { state.withLock { $0.lastPong } }

    /// How long the last keepalive ping that was answered took there and back; `nil` before the
    /// first one.
    public var roundTripTime: Duration? { state.withLock { $0.roundTripTime } }

    /// What the close frame of the last connection's peer carried; `nil` if it ended without one, and
    /// before any has ended.
    public var lastCloseFrame: ClosePayload? { state.withLock { $0.lastCloseFrame } }

    // MARK: Choices

    /// The options of the next attempt to connect.
    public var options: ConnectOptions {
        get { state.withLock { $0.options } }
        set { state.withLock { $0.options = newValue } }
    }

    /// The header fields of the next attempt to connect, besides those of ``options``.
    public var header: Header {
        get { state.withLock { $0.header } }
        set { state.withLock { $0.header = newValue } }
    }

    /// How a silent peer is noticed, if a run isn't told otherwise. Default: not at all.
    public var keepalive: Keepalive? {
        get { state.withLock { $0.keepalive } }
        set { state.withLock { $0.keepalive = newValue } }
    }

    /// Whether a run that isn't told otherwise connects again. Default: no.
    public var reconnection: Reconnection? {
        get { state.withLock { $0.reconnection } }
        set { state.withLock { $0.reconnection = newValue } }
    }

    // MARK: Callbacks

    /// Called when a connection is open.
    public var onOpen: Callback? {
        get { state.withLock { $0.callbacks.onOpen } }
        set { state.withLock { $0.callbacks.onOpen = newValue } }
    }

    /// Called in place of ``onOpen`` when a connection is open that isn't the first of its run.
    public var onReconnect: Callback? {
        get { state.withLock { $0.callbacks.onReconnect } }
        set { state.withLock { $0.callbacks.onReconnect = newValue } }
    }

    /// Called with each message.
    public var onMessage: MessageCallback? {
        get { state.withLock { $0.callbacks.onMessage } }
        set { state.withLock { $0.callbacks.onMessage = newValue } }
    }

    /// Called with the payload of each message, before ``onMessage``.
    public var onData: DataCallback? {
        get { state.withLock { $0.callbacks.onData } }
        set { state.withLock { $0.callbacks.onData = newValue } }
    }

    /// Called with each fragment of a message but the first, which goes to ``onMessage``. If it is
    /// set when a connection opens, fragments are delivered as they arrive.
    public var onContinuation: ContinuationCallback? {
        get { state.withLock { $0.callbacks.onContinuation } }
        set { state.withLock { $0.callbacks.onContinuation = newValue } }
    }

    /// Called with each error: once for a connection that ended out of order or could not be
    /// opened, and once for whatever another callback throws.
    public var onError: ErrorCallback? {
        get { state.withLock { $0.callbacks.onError } }
        set { state.withLock { $0.callbacks.onError = newValue } }
    }

    /// Called once for each connection that has ended or could not be opened.
    public var onClose: CloseCallback? {
        get { state.withLock { $0.callbacks.onClose } }
        set { state.withLock { $0.callbacks.onClose = newValue } }
    }

    /// Called with each ping, after it has been answered.
    public var onPing: ControlCallback? {
        get { state.withLock { $0.callbacks.onPing } }
        set { state.withLock { $0.callbacks.onPing = newValue } }
    }

    /// Called with each pong.
    public var onPong: ControlCallback? {
        get { state.withLock { $0.callbacks.onPong } }
        set { state.withLock { $0.callbacks.onPong = newValue } }
    }
}
