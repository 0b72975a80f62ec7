import WebSocketProtocol

extension WebSocket {
    /// Makes an unconnected socket, taking the same arguments as websocket-client's `WebSocket(…)`.
    ///
    /// ```swift
    /// let socket = WebSocket(fireContFrame: true)
    /// try socket.connect("wss://example.com/feed", timeout: .seconds(5))
    /// ```
    ///
    /// They mean what they mean to `createConnection(_:timeout:)`; see ``ConnectOptions``. Doesn't
    /// block.
    ///
    /// - Parameters:
    ///   - getMaskKey: Makes the masking key of each frame; for tests.
    ///   - sockopt: Socket options, set after ``SocketOption/defaults`` and those of `options`.
    ///   - sslopt: TLS, for wss URLs.
    ///   - fireContFrame: Whether each fragment of a message is delivered as it arrives.
    ///   - skipUTF8Validation: Whether text isn't checked.
    ///   - options: All else that can be chosen.
    public convenience init(
        getMaskKey: (@Sendable () -> UInt32)? = nil,
        sockopt: [SocketOption] = [],
        sslopt: TLSOptions? = nil,
        fireContFrame: Bool = false,
        skipUTF8Validation: Bool = false,
        options: ConnectOptions = ConnectOptions()
    ) {
        let arguments = PythonArguments(
            sockopt: sockopt,
            sslopt: sslopt,
            fireContFrame: fireContFrame,
            skipUTF8Validation: skipUTF8Validation,
            getMaskKey: getMaskKey
        )
        var options = options
        arguments.applyToSocket(&options)
        self.init(options: options)
    }

    /// Opens this socket's connection, taking the same arguments as websocket-client's `connect`.
    ///
    /// ```swift
    /// let socket = WebSocket()
    /// try socket.connect(
    ///     "wss://example.com/feed",
    ///     timeout: .seconds(5),
    ///     header: ["X-Trace": "1"],
    ///     origin: "https://example.com"
    /// )
    /// ```
    ///
    /// Like `connect(to:options:)` with the socket's own ``options`` and these arguments on top, which
    /// apply to the socket from now on; an omitted argument leaves its option as it is. Blocks as long
    /// as the time-out allows. Any thread may call it, one at a time.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - timeout: The limit of each stage of connecting, and of each later call but `close`.
    ///   - header: Further header fields of the handshake, as names and values or as lines; one with the
    ///     name of a field that the options have replaces it.
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
    ///   - socket: An already connected stream socket to use; the connection owns it.
    /// - Throws: ``WebSocketError``, as `connect(to:options:)`; `invalidArgument` also for a header field
    ///   that can't be sent, and a proxy's host without a port.
    @available(*, noasync)
    public func connect(
        _ url: String,
        timeout: Duration? = nil,
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
        socket: Int32? = nil
    ) throws {
        let arguments = PythonArguments(
            timeout: timeout,
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
            socket: socket
        )
        try connect(to: url, options: arguments.adopting(takeOptions()))
    }
}
