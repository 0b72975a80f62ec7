// swift-format-ignore-file: AlwaysUseLowerCamelCase
// The names of websocket-client's WebSocketApp; see GlobalNames.swift.

extension WebSocketApp {
    /// websocket-client's name.
    @available(*, unavailable, renamed: "runForever(pingInterval:pingTimeout:reconnect:)")
    @discardableResult
    public func run_forever(
        ping_interval: Duration? = nil,
        ping_timeout: Duration? = nil,
        reconnect: Reconnection? = nil
    ) throws -> Bool {
        try runForever(
            pingInterval: ping_interval,
            pingTimeout: ping_timeout,
            reconnect: reconnect
        )
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(_:)")
    @discardableResult
    public func send_text(_ text: String) throws -> Int { try send(text) }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    @discardableResult
    public func send_bytes(_ bytes: some Collection<UInt8>) throws -> Int {
        try send(binary: bytes)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:isConnected(self:)")
    public func ready() -> Bool { isConnected }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "socket")
    public var sock: WebSocket? { socket }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "isRunning")
    public var keep_running: Bool { isRunning }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "hasErrored")
    public var has_errored: Bool { hasErrored }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "lastPing")
    public var last_ping_tm: ContinuousClock.Instant? { lastPing }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "lastPong")
    public var last_pong_tm: ContinuousClock.Instant? { lastPong }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "lastCloseFrame")
    public var last_close_frame: ClosePayload? { lastCloseFrame }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onOpen")
    public var on_open: Callback? {
        get { onOpen }
        set { onOpen = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onReconnect")
    public var on_reconnect: Callback? {
        get { onReconnect }
        set { onReconnect = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onMessage")
    public var on_message: MessageCallback? {
        get { onMessage }
        set { onMessage = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onData")
    public var on_data: DataCallback? {
        get { onData }
        set { onData = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onContinuation")
    public var on_cont_message: ContinuationCallback? {
        get { onContinuation }
        set { onContinuation = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onError")
    public var on_error: ErrorCallback? {
        get { onError }
        set { onError = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onClose")
    public var on_close: CloseCallback? {
        get { onClose }
        set { onClose = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onPing")
    public var on_ping: ControlCallback? {
        get { onPing }
        set { onPing = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onPong")
    public var on_pong: ControlCallback? {
        get { onPong }
        set { onPong = newValue }
    }

    /// websocket-client's name.
    @available(*, unavailable, message: "Set keepalive, or runForever's arguments.")
    public var ping_interval: Duration? { keepalive?.interval }

    /// websocket-client's name.
    @available(*, unavailable, message: "Set keepalive, or runForever's arguments.")
    public var ping_timeout: Duration? { keepalive?.timeout }

    /// websocket-client's name.
    @available(*, unavailable, message: "Set keepalive, or runForever's arguments.")
    public var ping_payload: [UInt8]? { keepalive?.payload }
}
