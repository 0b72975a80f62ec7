import WebSocketProtocol

/// A connection that lives on callbacks, keeps itself alive, and comes back when it is lost.
///
/// ```swift
/// let app = WebSocketApp(
///     url: "wss://example.com/feed",
///     onOpen: { app in try app.send("hello") },
///     onMessage: { app, message in print(message) },
///     onError: { app, error in print(error) },
///     onClose: { app, code, reason in print("closed:", code, reason) }
/// )
/// try app.runForever(
///     pingInterval: .seconds(30), pingTimeout: .seconds(10),
///     reconnect: .exponentialBackoff()
/// )
/// ```
///
/// All callbacks run on the app's thread, one at a time, in the order of events. ``onClose`` is called
/// once for each connection that ends and for each attempt to connect that fails. ``onError`` is called
/// before it, unless the connection was closed cleanly: by ``close(timeout:)``, or by the peer with
/// 1000, 1001 or no code. Errors that a callback throws go to ``onError``.
///
/// A callback that changes a captured variable needs a lock around it, as the compiler doesn't know
/// that all callbacks run on one thread; <doc:ThreadsAndTimeouts> has an example.
///
/// Everything else may be called from any thread.
public final class WebSocketApp: Sendable {
    /// A callback with nothing but the app.
    public typealias Callback = @Sendable (WebSocketApp) throws -> Void
    /// A callback with a message.
    public typealias MessageCallback = @Sendable (WebSocketApp, Message) throws -> Void
    /// A callback with a payload, its opcode, and whether it ends its message.
    public typealias DataCallback =
        @Sendable (WebSocketApp, _ payload: [UInt8], Opcode, _ isFinal: Bool) throws -> Void
    /// A callback with a further fragment of a message, and whether it is the last.
    public typealias ContinuationCallback =
        @Sendable (WebSocketApp, _ payload: [UInt8], _ isFinal: Bool) throws -> Void
    /// A callback with the payload of a ping or pong.
    public typealias ControlCallback = @Sendable (WebSocketApp, _ payload: [UInt8]) throws -> Void
    /// A callback with an error: a ``WebSocketError``, or what another callback threw.
    public typealias ErrorCallback = @Sendable (WebSocketApp, any Error) -> Void
    /// A callback with the peer's close code and reason: 1005 if it gave none, 1006 if there was no
    /// close frame (RFC 6455 §7.1.5).
    public typealias CloseCallback =
        @Sendable (WebSocketApp, CloseCode, _ reason: String) throws -> Void

    /// The former name of ``RequestHeaders``.
    @available(*, unavailable, renamed: "RequestHeaders")
    public typealias Header = RequestHeaders

    struct Callbacks {
        var onOpen: Callback?
        var onReconnect: Callback?
        var onMessage: MessageCallback?
        var onData: DataCallback?
        var onContinuation: ContinuationCallback?
        var onError: ErrorCallback?
        var onClose: CloseCallback?
        var onPing: ControlCallback?
        var onPong: ControlCallback?
    }

    struct Run {
        /// Weak, as the dispatcher keeps its apps.
        weak var dispatcher: Dispatcher?
        var key: Int
        var phase = RunPhase.waiting(until: .now)
    }

    struct State {
        var callbacks: Callbacks
        var headers: RequestHeaders
        var options: ConnectOptions
        var keepalive: Keepalive?
        var reconnection: Reconnection?
        var replay: Replay?
        var run: Run?
        /// The messages that the present run keeps, or the last one kept.
        var replayQueue: ReplayQueue?
        var hasErrored = false
        var awaitedPong: (payload: [UInt8], since: ContinuousClock.Instant)?
        var lastPing: ContinuousClock.Instant?
        var lastPong: ContinuousClock.Instant?
        var roundTripTime: Duration?
        var lastCloseFrame: ClosePayload?
        /// The counters of the connections that have ended, added up.
        var statistics = WebSocketStatistics()
        /// The counters of the present connection.
        var traffic: Traffic?

        /// Adds the counters of the present connection, which has ended.
        mutating func countConnection() {
            if let traffic { statistics.add(traffic.statistics) }
            traffic = nil
        }
    }

    /// Where it connects to.
    public let url: String

    let state: Locked<State>

    /// Makes an app; nothing is connected before `runForever`.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - header: Further header fields of the handshake, as names and values, as lines, or made
    ///     anew for each attempt.
    ///   - onOpen: Called when a connection is open.
    ///   - onReconnect: Called in place of `onOpen` when a connection is open that isn't the first.
    ///   - onMessage: Called with each message.
    ///   - onError: Called with each error.
    ///   - onClose: Called when a connection has ended, or could not be opened.
    ///   - onPing: Called with each ping, after it has been answered.
    ///   - onPong: Called with each pong.
    ///   - onContinuation: Called with each fragment but the first of a message; if it is set,
    ///     fragments are delivered as they arrive, the first ones to `onMessage`.
    ///   - cookie: Cookies to send besides those of the jar.
    ///   - subprotocols: The subprotocols to offer.
    ///   - onData: Called with the payload of each message, before `onMessage`.
    ///   - socket: A connected stream socket to use; the first connection owns it.
    ///   - options: All else that can be chosen.
    public init(
        url: String,
        header: RequestHeaders = [:],
        onOpen: Callback? = nil,
        onReconnect: Callback? = nil,
        onMessage: MessageCallback? = nil,
        onError: ErrorCallback? = nil,
        onClose: CloseCallback? = nil,
        onPing: ControlCallback? = nil,
        onPong: ControlCallback? = nil,
        onContinuation: ContinuationCallback? = nil,
        cookie: String? = nil,
        subprotocols: [String] = [],
        onData: DataCallback? = nil,
        socket: Int32? = nil,
        options: ConnectOptions = ConnectOptions()
    ) {
        self.url = url
        let callbacks = Callbacks(
            onOpen: onOpen,
            onReconnect: onReconnect,
            onMessage: onMessage,
            onData: onData,
            onContinuation: onContinuation,
            onError: onError,
            onClose: onClose,
            onPing: onPing,
            onPong: onPong
        )
        var options = options
        if let cookie { options.cookie = cookie }
        if !subprotocols.isEmpty { options.subprotocols = subprotocols }
        if let socket { options.socket = socket }
        state = Locked(State(callbacks: callbacks, headers: header, options: options))
    }

    // MARK: Sending

    /// The open connection, or the one that is being opened; `nil` otherwise.
    public var socket: WebSocket? { phase.socket }

    /// Whether there is an open connection.
    public var isConnected: Bool { socket?.isConnected ?? false }

    /// Sends a text message; see `send(_:)`.
    ///
    /// Blocks until the system has taken it, at most ``Timeouts/send``. While a callback waits here,
    /// nothing is received; so if the peer stops reading until its own answers are read, send from
    /// another thread. With ``replay``, it returns when the message is kept.
    ///
    /// - Parameter text: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    @discardableResult
    public func send(_ text: String) throws -> Int {
        if let queue = queueForSending {
            return try queue.send(.text, Array(text.utf8), timeout: sendTimeout)
        }
        return try connectedSocket().send(text)
    }

    /// Sends a binary message; see `send(binary:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    @discardableResult
    public func send(binary bytes: [UInt8]) throws -> Int {
        if let queue = queueForSending {
            return try queue.send(.binary, bytes, timeout: sendTimeout)
        }
        return try connectedSocket().send(binary: bytes)
    }

    /// Sends one unfragmented frame of any kind; see ``WebSocket/send(_:opcode:)``.
    ///
    /// - Parameters:
    ///   - payload: The payload.
    ///   - opcode: The kind of frame.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection,
    ///   `invalidArgument` for a control frame of more than 125 bytes, `timedOut`, `aborted`.
    @discardableResult
    public func send(_ payload: [UInt8], opcode: Opcode) throws -> Int {
        if opcode == .text || opcode == .binary, let queue = queueForSending {
            return try queue.send(opcode, payload, timeout: sendTimeout)
        }
        return try connectedSocket().send(payload, opcode: opcode)
    }

    func connectedSocket() throws(WebSocketError) -> WebSocket {
        guard let socket, socket.isConnected else {
            throw WebSocketError.connectionClosed(
                ConnectionEnd(cause: "the app has no open connection")
            )
        }
        return socket
    }

    // MARK: The end

    /// Closes the connection with 1000 and ends the run; returns at once.
    ///
    /// The closing handshake takes at most `timeout`; then `runForever` returns. An attempt to connect
    /// ends at once, and so does the wait before the next one. Does nothing if the app isn't running.
    /// For any thread, and for callbacks.
    ///
    /// - Parameter timeout: The limit. Default: ``Timeouts/close``, 3 s.
    public func close(timeout: Duration? = nil) {
        let payload = ClosePayload(code: .normalClosure)
        requestClose(CloseRequest(payload: payload, timeout: timeout))
    }

    /// Closes the connection with a code and ends the run; otherwise like ``close(timeout:)``.
    ///
    /// - Parameters:
    ///   - code: The reason as a number; 1000, 1001 or 3000 to 4999 are for applications.
    ///   - reason: The reason in words, at most 123 bytes of UTF-8; more is cut.
    ///   - timeout: The limit. Default: ``Timeouts/close``, 3 s.
    /// - Throws: ``WebSocketError/invalidArgument(_:)`` for a code that may not be sent.
    public func close(
        code: CloseCode,
        reason: String = "",
        timeout: Duration? = nil
    ) throws {
        guard code.isValidOnWire else {
            throw WebSocketError.invalidArgument("The close code \(code) may not be sent.")
        }
        let payload = ClosePayload(code: code, reason: reason)
        requestClose(CloseRequest(payload: payload, timeout: timeout))
    }
}
