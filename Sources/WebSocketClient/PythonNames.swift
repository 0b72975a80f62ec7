// swift-format-ignore-file: AlwaysUseLowerCamelCase
// The names that websocket-client's users know. None of them exists at run time: the compiler
// answers with the name to use here, and offers to write it.

// MARK: Functions

/// websocket-client's name.
@available(*, unavailable, renamed: "createConnection(_:timeout:as:)")
public func create_connection(_ url: String, timeout: Duration? = nil) {}

/// websocket-client's name.
@available(*, unavailable, renamed: "setter:WebSocket.defaultTimeout(_:)")
public func setdefaulttimeout(_ timeout: Duration?) {}

/// websocket-client's name.
@available(*, unavailable, renamed: "getter:WebSocket.defaultTimeout()")
public func getdefaulttimeout() {}

/// websocket-client's name.
@available(*, unavailable, renamed: "setter:WebSocketApp.defaultReconnection(_:)")
public func set_reconnect(_ interval: Reconnection?) {}

// MARK: Types and exceptions

/// websocket-client's name.
@available(*, unavailable, renamed: "Frame")
public typealias ABNF = Frame

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError")
public typealias WebSocketException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.protocolViolation")
public typealias WebSocketProtocolException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.invalidPayload")
public typealias WebSocketPayloadException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.connectionClosed")
public typealias WebSocketConnectionClosedException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.timedOut")
public typealias WebSocketTimeoutException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.proxy")
public typealias WebSocketProxyException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.badStatus")
public typealias WebSocketBadStatusException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError.addressNotFound")
public typealias WebSocketAddressException = WebSocketError

// MARK: Close codes

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.normalClosure")
public var STATUS_NORMAL: CloseCode { .normalClosure }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.goingAway")
public var STATUS_GOING_AWAY: CloseCode { .goingAway }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.protocolError")
public var STATUS_PROTOCOL_ERROR: CloseCode { .protocolError }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.unsupportedData")
public var STATUS_UNSUPPORTED_DATA_TYPE: CloseCode { .unsupportedData }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.noStatusReceived")
public var STATUS_STATUS_NOT_AVAILABLE: CloseCode { .noStatusReceived }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.abnormalClosure")
public var STATUS_ABNORMAL_CLOSED: CloseCode { .abnormalClosure }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.invalidPayload")
public var STATUS_INVALID_PAYLOAD: CloseCode { .invalidPayload }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.policyViolation")
public var STATUS_POLICY_VIOLATION: CloseCode { .policyViolation }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.messageTooBig")
public var STATUS_MESSAGE_TOO_BIG: CloseCode { .messageTooBig }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.mandatoryExtension")
public var STATUS_INVALID_EXTENSION: CloseCode { .mandatoryExtension }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.internalError")
public var STATUS_UNEXPECTED_CONDITION: CloseCode { .internalError }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.serviceRestart")
public var STATUS_SERVICE_RESTART: CloseCode { .serviceRestart }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.tryAgainLater")
public var STATUS_TRY_AGAIN_LATER: CloseCode { .tryAgainLater }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.badGateway")
public var STATUS_BAD_GATEWAY: CloseCode { .badGateway }

/// websocket-client's name.
@available(*, unavailable, renamed: "CloseCode.tlsHandshake")
public var STATUS_TLS_HANDSHAKE_ERROR: CloseCode { .tlsHandshake }

// MARK: WebSocket

extension WebSocket {
    /// websocket-client's name.
    @available(*, unavailable, renamed: "receive()")
    public func recv() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveData(controlFrames:)")
    public func recv_data(control_frame: Bool = false) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveDataFrame(controlFrames:)")
    public func recv_data_frame(control_frame: Bool = false) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "receiveFrame()")
    public func recv_frame() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(_:)")
    public func send_text(_ text: String) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    public func send_bytes(_ bytes: [UInt8]) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    public func send_binary(_ bytes: [UInt8]) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(frame:)")
    public func send_frame(_ frame: Frame) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "sendClose(code:reason:)")
    public func send_close(status: Int = 1000, reason: String = "") {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:timeout()")
    public func gettimeout() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "setter:timeout(self:_:)")
    public func settimeout(_ timeout: Duration?) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:subprotocol(self:)")
    public func getsubprotocol() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:status(self:)")
    public func getstatus() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:headers(self:)")
    public func getheaders() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:isSecure(self:)")
    public func is_ssl() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:fileDescriptor(self:)")
    public func fileno() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "isConnected")
    public var connected: Bool { false }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "handshakeResponse")
    public var handshake_response: HandshakeResponse? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "closeFrame")
    public var close_frame: ClosePayload? { nil }

    /// websocket-client's name.
    @available(*, unavailable, message: "Set ConnectOptions.maskingKey before connecting.")
    public func set_mask_key(_ make: () -> UInt32) {}

    /// websocket-client's name.
    @available(*, unavailable, message: "A WebSocket is safe to use from many threads, always.")
    public var enable_multithread: Bool { true }
}

// MARK: WebSocketApp

extension WebSocketApp {
    /// websocket-client's name.
    @available(*, unavailable, renamed: "runForever(pingInterval:pingTimeout:reconnect:)")
    public func run_forever(
        ping_interval: Duration? = nil,
        ping_timeout: Duration? = nil,
        reconnect: Reconnection? = nil
    ) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(_:)")
    public func send_text(_ text: String) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "send(binary:)")
    public func send_bytes(_ bytes: [UInt8]) {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "getter:isConnected(self:)")
    public func ready() {}

    /// websocket-client's name.
    @available(*, unavailable, renamed: "socket")
    public var sock: WebSocket? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "isRunning")
    public var keep_running: Bool { false }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "hasErrored")
    public var has_errored: Bool { false }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "lastPing")
    public var last_ping_tm: ContinuousClock.Instant? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "lastPong")
    public var last_pong_tm: ContinuousClock.Instant? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onOpen")
    public var on_open: Callback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onReconnect")
    public var on_reconnect: Callback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onMessage")
    public var on_message: MessageCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onData")
    public var on_data: DataCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onContinuation")
    public var on_cont_message: ContinuationCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onError")
    public var on_error: ErrorCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onClose")
    public var on_close: CloseCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onPing")
    public var on_ping: ControlCallback? { nil }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "onPong")
    public var on_pong: ControlCallback? { nil }
}

// MARK: URLs

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketURL.init(_:)")
public func parse_url(_ url: String) {}
