/// How long each stage of a connection may take; `nil` waits without end.
public struct Timeouts: Sendable, Hashable {
    /// All of connecting, from the name to the last byte of the handshake. Default: 30 s.
    public var open: Duration? = .seconds(30)
    /// Resolving the name and opening the TCP connection. Default: 10 s.
    public var connect: Duration? = .seconds(10)
    /// The proxy's handshake. Default: 10 s.
    public var proxy: Duration? = .seconds(10)
    /// The TLS handshake. Default: 10 s.
    public var tls: Duration? = .seconds(10)
    /// The WebSocket handshake. Default: 10 s. The body of a refusal is waited for 1 s at most.
    public var handshake: Duration? = .seconds(10)
    /// One call that sends. Default: 60 s; a peer that hasn't read for so long has failed.
    public var send: Duration? = .seconds(60)
    /// One call that receives. Default: none, as silence is normal; to notice a peer that has vanished,
    /// see keepalive in ``WebSocketApp``.
    public var receive: Duration?
    /// The closing handshake. Default: 3 s.
    public var close: Duration = .seconds(3)

    /// Makes the default time-outs.
    public init() {}

    /// Makes time-outs with one limit for everything but closing, like websocket-client's `timeout`.
    ///
    /// - Parameter timeout: The limit of each stage; `nil` waits without end.
    public init(all timeout: Duration?) {
        open = timeout
        connect = timeout
        proxy = timeout
        tls = timeout
        handshake = timeout
        send = timeout
        receive = timeout
    }
}

/// The limits of calls on an open connection, copied by every call.
struct CallTimeouts {
    let send: Duration?
    let receive: Duration?
    let close: Duration

    init(_ timeouts: Timeouts) {
        send = timeouts.send
        receive = timeouts.receive
        close = timeouts.close
    }
}
