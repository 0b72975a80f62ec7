import WebSocketProtocol

/// Settings of the whole process.
struct Defaults {
    var timeout: Duration?
    var reconnection: Reconnection?

    static let shared = Locked(Defaults())
}

extension WebSocket {
    /// The default time-out of `createConnection`, for the whole process; websocket-client's
    /// `setdefaulttimeout`. Default: `nil`, for those of ``Timeouts``.
    public static var defaultTimeout: Duration? {
        get { Defaults.shared.withLock { $0.timeout } }
        set { Defaults.shared.withLock { $0.timeout = newValue } }
    }
}

/// Opens a connection, with the arguments of websocket-client's `create_connection`.
///
/// ```swift
/// let socket = try createConnection("wss://example.com/feed", timeout: .seconds(5))
/// print(try socket.receive())
/// ```
///
/// Does the same as `connect(to:options:)`, which takes its options as one value; ``ConnectOptions``
/// explains them. Blocks as long as the time-out allows.
///
/// - Parameters:
///   - url: A `ws` or `wss` URL.
///   - timeout: The limit of each stage of connecting, and of each later call; without it, and
///     without ``WebSocket/defaultTimeout``, connecting takes at most 30 s and receiving waits
///     without limit.
///   - type: The class to make, websocket-client's `class_`: every higher call honours the frame-level
///     methods that a subclass of ``WebSocket`` overrides.
///   - header: Further header fields of the handshake, as names and values or as lines.
///   - cookie: Cookies to send besides those of the jar.
///   - origin: The `Origin` field.
///   - suppressOrigin: Whether to send no `Origin` field.
///   - host: The `Host` field.
///   - suppressHost: Whether to send no `Host` field.
///   - connection: The `Connection` field's value.
///   - subprotocols: The subprotocols to offer.
///   - redirectLimit: How many redirects are followed.
///   - httpProxyHost: A proxy's name or address; the other proxy arguments count only with it.
///   - httpProxyPort: The proxy's port.
///   - httpProxyAuth: The proxy's user and password.
///   - httpNoProxy: The hosts that are reached directly.
///   - httpProxyTimeout: The limit of the proxy's handshake.
///   - proxyType: The protocol that is spoken with the proxy.
///   - sockopt: Socket options, set after ``SocketOption/defaults`` and those of `options`.
///   - sslopt: TLS, for wss URLs.
///   - socket: An already connected stream socket to use; the connection owns it.
///   - fireContFrame: Whether each fragment of a message is delivered as it arrives.
///   - skipUTF8Validation: Whether text isn't checked.
///   - getMaskKey: Makes the masking key of each frame; for tests.
///   - options: All else that can be chosen.
/// - Returns: The connected socket.
/// - Throws: ``WebSocketError``, as `connect(to:options:)`.
@available(*, noasync)
public func createConnection<Socket: WebSocket>(
    _ url: String,
    timeout: Duration? = nil,
    as type: Socket.Type = WebSocket.self,
    header: RequestHeaders = [:],
    cookie: String? = nil,
    origin: String? = nil,
    suppressOrigin: Bool = false,
    host: String? = nil,
    suppressHost: Bool = false,
    connection: String? = nil,
    subprotocols: [String] = [],
    redirectLimit: Int? = nil,
    httpProxyHost: String? = nil,
    httpProxyPort: UInt16? = nil,
    httpProxyAuth: BasicCredentials? = nil,
    httpNoProxy: [String]? = nil,
    httpProxyTimeout: Duration? = nil,
    proxyType: Proxy.Kind = .http,
    sockopt: [SocketOption] = [],
    sslopt: TLSOptions? = nil,
    socket: Int32? = nil,
    fireContFrame: Bool = false,
    skipUTF8Validation: Bool = false,
    getMaskKey: (@Sendable () -> UInt32)? = nil,
    options: ConnectOptions = ConnectOptions()
) throws -> Socket {
    let arguments = PythonArguments(
        timeout: timeout ?? WebSocket.defaultTimeout,
        header: header,
        cookie: cookie,
        origin: origin,
        suppressOrigin: suppressOrigin,
        host: host,
        suppressHost: suppressHost,
        connection: connection,
        subprotocols: subprotocols,
        redirectLimit: redirectLimit,
        httpProxyHost: httpProxyHost,
        httpProxyPort: httpProxyPort,
        httpProxyAuth: httpProxyAuth,
        httpNoProxy: httpNoProxy,
        httpProxyTimeout: httpProxyTimeout,
        proxyType: proxyType,
        sockopt: sockopt,
        sslopt: sslopt,
        socket: socket,
        fireContFrame: fireContFrame,
        skipUTF8Validation: skipUTF8Validation,
        getMaskKey: getMaskKey
    )
    return try Socket.connect(to: url, options: arguments.adopting(options))
}
