// swift-format-ignore-file: AlwaysUseLowerCamelCase
// The names that websocket-client's users know. None of them exists at run time: the compiler
// answers with the name to use here, and offers to write it. Each body uses that name, so that the name
// is sure to exist.

// MARK: Functions

/// websocket-client's name.
@available(*, unavailable, renamed: "createConnection(_:timeout:)")
public func create_connection(
    _ url: String,
    timeout: Duration? = nil
) throws -> WebSocket { try createConnection(url, timeout: timeout) }

/// websocket-client's name.
@available(*, unavailable, renamed: "setter:WebSocket.defaultTimeout(_:)")
public func setdefaulttimeout(_ timeout: Duration?) { WebSocket.defaultTimeout = timeout }

/// websocket-client's name.
@available(*, unavailable, renamed: "getter:WebSocket.defaultTimeout()")
public func getdefaulttimeout() -> Duration? { WebSocket.defaultTimeout }

/// websocket-client's name.
@available(*, unavailable, renamed: "setter:WebSocketApp.defaultReconnection(_:)")
public func set_reconnect(_ plan: Reconnection?) { WebSocketApp.defaultReconnection = plan }

/// websocket-client's name.
@available(*, unavailable, renamed: "SocketOption.defaults")
public var DEFAULT_SOCKET_OPTION: [SocketOption] { SocketOption.defaults }

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketURL.init(_:)")
public func parse_url(_ url: String) throws -> WebSocketURL { try WebSocketURL(url) }

// MARK: Types and exceptions

/// websocket-client's name.
@available(*, unavailable, renamed: "Frame")
public typealias ABNF = Frame

/// websocket-client's name.
@available(*, unavailable, renamed: "WebSocketError")
public typealias WebSocketException = WebSocketError

/// websocket-client's name.
@available(*, unavailable, renamed: "CookieJar")
public typealias SimpleCookieJar = CookieJar

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

// MARK: Frames

extension Frame {
    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.continuation")
    public static var OPCODE_CONT: Opcode { .continuation }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.text")
    public static var OPCODE_TEXT: Opcode { .text }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.binary")
    public static var OPCODE_BINARY: Opcode { .binary }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.close")
    public static var OPCODE_CLOSE: Opcode { .close }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.ping")
    public static var OPCODE_PING: Opcode { .ping }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.pong")
    public static var OPCODE_PONG: Opcode { .pong }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "Opcode.allCases")
    public static var OPCODES: [Opcode] { Opcode.allCases }

    /// websocket-client's name.
    @available(
        *,
        unavailable,
        message: "Write Frame(opcode: opcode, payload: data, isFinal: true)."
    )
    public static func create_frame(_ data: [UInt8], _ opcode: Opcode, _ fin: Int = 1) -> Frame {
        Frame(opcode: opcode, payload: data, isFinal: fin == 1)
    }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "isFinal")
    public var fin: Bool { isFinal }

    /// websocket-client's name.
    @available(*, unavailable, renamed: "payload")
    public var data: [UInt8] { payload }
}
