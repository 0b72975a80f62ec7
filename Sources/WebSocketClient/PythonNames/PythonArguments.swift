import WebSocketProtocol

/// websocket-client's arguments for a connection, and their effect on ``ConnectOptions``.
///
/// Every call that takes such arguments goes through here, so that an argument means the same
/// everywhere. An omitted argument leaves its option as it is.
struct PythonArguments {
    var timeout: Duration?
    var header: RequestHeaders = [:]
    var cookie: String?
    var origin: String?
    var suppressOrigin = false
    var host: String?
    var suppressHost = false
    var connection: String?
    var subprotocols: [String] = []
    var redirectLimit: Int?
    var httpProxyHost: String?
    var httpProxyPort: UInt16?
    var httpProxyAuth: BasicCredentials?
    var httpNoProxy: [String]?
    var httpProxyTimeout: Duration?
    var proxyType = Proxy.Kind.http
    /// Set after those in the options.
    var sockopt: [SocketOption] = []
    var sslopt: TLSOptions?
    var socket: Int32?
    var fireContFrame = false
    var skipUTF8Validation = false
    var getMaskKey: (@Sendable () -> UInt32)?

    /// The options with these arguments on top, for one attempt to connect: if they can't be used, the
    /// caller's socket is closed, as when connecting fails.
    func adopting(_ options: ConnectOptions) throws -> ConnectOptions {
        var options = options
        do {
            try apply(to: &options)
        } catch {
            if let socket = socket ?? options.socket, socket >= 0 { SystemCalls.close(socket) }
            throw error
        }
        return options
    }

    func apply(to options: inout ConnectOptions) throws {
        if let timeout {
            // Closing has its own limit, as in websocket-client.
            let close = options.timeouts.close
            options.timeouts = Timeouts(all: timeout)
            options.timeouts.close = close
        }
        options.headers.replace(with: try header.fields())
        if let cookie { options.cookie = cookie }
        if let origin { options.origin = .custom(origin) }
        if suppressOrigin { options.origin = .omitted }
        if let host { options.host = .custom(host) }
        if suppressHost { options.host = .omitted }
        if let connection { options.connection = connection }
        if !subprotocols.isEmpty { options.subprotocols = subprotocols }
        if let redirectLimit { options.redirectLimit = redirectLimit }
        try applyProxy(to: &options)
        if let socket { options.socket = socket }
        applyToSocket(&options)
    }

    /// Applies the arguments that websocket-client's `WebSocket(…)` takes; none of them can be invalid.
    func applyToSocket(_ options: inout ConnectOptions) {
        options.socketOptions += sockopt
        if let sslopt { options.tls = sslopt }
        if fireContFrame { options.deliversFragments = true }
        if skipUTF8Validation { options.validatesUTF8 = false }
        if let getMaskKey { options.maskingKey = getMaskKey }
    }

    private func applyProxy(to options: inout ConnectOptions) throws(WebSocketError) {
        if let httpNoProxy { options.noProxy = httpNoProxy }
        if let httpProxyTimeout { options.timeouts.proxy = httpProxyTimeout }
        guard let httpProxyHost else { return }
        guard let httpProxyPort, httpProxyPort > 0 else {
            throw .invalidArgument("A proxy's host needs a port.")
        }
        options.proxy = .proxy(
            Proxy(
                proxyType,
                host: httpProxyHost,
                port: httpProxyPort,
                credentials: httpProxyAuth
            )
        )
    }
}

/// websocket-client's arguments for keepalive.
struct PythonKeepalive {
    var pingInterval: Duration?
    var pingTimeout: Duration?
    var pingPayload = ""

    /// An interval of zero means none, and no interval leaves the plan as it is.
    func apply(to keepalive: inout Keepalive?) throws(WebSocketError) {
        if let pingInterval {
            let payload = Array(pingPayload.utf8)
            keepalive =
                pingInterval == .zero
                ? nil
                : Keepalive(interval: pingInterval, timeout: pingTimeout, payload: payload)
        }
        try keepalive?.check()
    }
}
