public import HTTPTypes
import WebSocketProtocol

/// A WebSocket connection whose calls block until they are done (RFC 6455).
///
/// ```swift
/// let socket = try WebSocket.connect(to: "wss://example.com/feed")
/// try socket.send("hello")
/// print(try socket.receive())
/// try socket.close()
/// ```
///
/// Every method may be called from any thread at any time: one thread may receive while others send,
/// over TLS as well. Calls of one kind take turns. `close(code:reason:timeout:)` and ``abort()`` end
/// the other threads' calls.
///
/// If another module has a `WebSocket` too, as Vapor does, write `import class
/// WebSocketClient.WebSocket`, or `WebSocketClient::WebSocket` from Swift 6.3 on; see
/// <doc:GettingStarted#Beside-other-modules>.
///
/// The class is open: if a subclass overrides ``receiveFrame()``, ``send(frame:)`` and the like, every
/// higher-level call goes through the overrides, frame by frame.
open class WebSocket: @unchecked Sendable {
    // Safe to send: all that changes is in `state`, under its lock.
    // `Sendable` without `@unchecked` is denied to open classes.
    private enum Link: Sendable {
        case unconnected
        case connecting(WakeUp)
        case open(Connection)
        indirect case ended(WebSocketError, closeReceived: ClosePayload?, acknowledged: SendReceipt)

        var whyNotOpen: WebSocketError {
            if case .ended(let error, _, _) = self { return error }
            return .invalidArgument("The socket is not connected.")
        }
    }

    private struct State: Sendable {
        var link = Link.unconnected
        var options: ConnectOptions
        var response: HandshakeResponse?
        var subprotocol: String?
        var isSecure = false
        /// The counters of the present connection, or of the last one.
        var traffic: Traffic?
    }

    private let state: Locked<State>
    /// Made for the first message that a subclass receives frame by frame.
    private let lazyJoining = LazyReference<FrameJoining>()
    var joining: FrameJoining { lazyJoining.load() ?? lazyJoining.storeIfNil(FrameJoining()) }
    /// The limit of the call in which this thread receives single frames; `nil` outside such a call.
    var joiningDeadline: Deadline? { lazyJoining.load()?.deadlineOfThisThread }
    /// Calls of an overridden `receive()` and `receiveDataFrame(controlFrames:)`, for tasks.
    let overridden = LazyReference<OverriddenReceive<Message>>()
    let overriddenFrames = LazyReference<FrameCalls>()
    /// Whether frames go through methods that a subclass may have overridden.
    let isSubclass: Bool

    /// Makes an unconnected socket.
    ///
    /// - Parameter options: The options for `connect(to:options:)`, unless that is given others.
    public required init(options: ConnectOptions = ConnectOptions()) {
        state = Locked(State(options: options))
        isSubclass = type(of: self) != WebSocket.self
    }

    // MARK: Connecting

    /// Opens a connection: resolves the name, connects, performs the handshakes of proxy, TLS and
    /// WebSocket, and follows redirects. Blocks as long as ``ConnectOptions/timeouts`` allow, 30 s by
    /// default.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - options: The options.
    /// - Returns: The connected socket.
    /// - Throws: ``WebSocketError``: `invalidURL` and `invalidArgument` are the caller's fault,
    ///   `addressNotFound`, `connectFailed`, `timedOut` and `system` the network's, `proxy` the
    ///   proxy's, and `tls`, `badStatus` and `handshakeFailed` the server's.
    @available(*, noasync)
    public static func connect(
        to url: String,
        options: ConnectOptions = ConnectOptions()
    ) throws -> Self {
        let socket = Self(options: options)
        try socket.connect(to: url)
        return socket
    }

    /// Opens this socket's connection; see `connect(to:options:)`.
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL.
    ///   - options: Options that replace the socket's own, from now on.
    /// - Throws: ``WebSocketError``; besides those of the static method, `invalidArgument` if it is
    ///   connected already.
    @available(*, noasync)
    open func connect(
        to url: String,
        options: ConnectOptions? = nil
    ) throws {
        try open(url, options: options)
    }

    /// Opens the connection over the stream that `connector` makes.
    ///
    /// Signalling `wakeUp` from another thread ends the call, or the connection that it has opened.
    package func open(
        _ url: String,
        options: ConnectOptions? = nil,
        endedBy givenWakeUp: WakeUp? = nil,
        through connector: @escaping StreamConnector = Connector.connect(_:wakeUp:)
    ) throws(WebSocketError) {
        // From here on, any failure closes the caller's socket.
        let ownSocket = try adoptSocket(options)
        let target: WebSocketURL
        do throws(InvalidURL) {
            target = try WebSocketURL(parsing: url)
        } catch {
            throw .invalidURL(error)
        }
        let wakeUp: WakeUp
        do throws(TransportError) {
            if let givenWakeUp { wakeUp = givenWakeUp } else { wakeUp = try WakeUp() }
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
        let chosen = try begin(wakeUp, options: options)
        let log = ConnectionLog(host: target.host, logger: chosen.logger)
        do throws(WebSocketError) {
            let handshake = OpeningHandshake(
                options: chosen,
                socket: ownSocket,
                log: log,
                wakeUp: wakeUp,
                connector: connector
            )
            let opened = try handshake.open(target)
            let connection = Connection(opened, role: .client, options: chosen)
            try state.withLock { state throws(WebSocketError) in
                state.response = opened.response
                state.subprotocol = opened.negotiated.subprotocol
                state.isSecure = opened.stream.isSecure
                // Under the lock that `abort()` takes: either it is noticed here, or it finds an open
                // connection.
                guard !wakeUp.isSignalled else { throw .aborted }
                state.link = .open(connection)
                state.traffic = connection.traffic
            }
            // The caller's wake-up may be signalled without that lock.
            if wakeUp.isSignalled {
                connection.abort()
                throw .aborted
            }
        } catch {
            let former = state.withLock { state in
                if case .badStatus(let response) = error { state.response = response }
                defer { state.link = .unconnected }
                return state.link
            }
            withExtendedLifetime(former) {}
            if Tracing.isEnabled { log.connectFailed(error) }
            throw error
        }
    }

    private func adoptSocket(_ options: ConnectOptions?) throws(WebSocketError) -> Socket? {
        let descriptor =
            if let options {
                options.socket
            } else {
                state.withLock { state in
                    defer { state.options.socket = nil }
                    return state.options.socket
                }
            }
        guard let descriptor else { return nil }
        do throws(TransportError) {
            return try Socket(adopting: descriptor)
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
    }

    private func begin(
        _ wakeUp: WakeUp,
        options: ConnectOptions?
    ) throws(WebSocketError) -> ConnectOptions {
        let (chosen, former) = try state.withLock { state throws(WebSocketError) in
            // The closures of the former options, and a former connection, are released outside the
            // lock.
            let former = state
            switch state.link {
            case .connecting: throw .invalidArgument("The socket is connecting already.")
            case .open(let connection) where connection.isOpen:
                throw .invalidArgument("The socket is connected already.")
            case .open, .unconnected, .ended: break
            }
            if let options { state.options = options }
            state.link = .connecting(wakeUp)
            defer { state.options.socket = nil }
            return (state.options, former)
        }
        if case .open(let connection) = former.link { connection.abort() }
        return chosen
    }

    /// The options for an attempt to connect, which owns the caller's socket from here on.
    func takeOptions() -> ConnectOptions {
        state.withLock { state in
            defer { state.options.socket = nil }
            return state.options
        }
    }

    /// Closes the descriptor in the options, as no attempt to connect will use it.
    func closeAdoptedSocket() {
        let descriptor = state.withLock { $0.options.socket.take() }
        if let descriptor, descriptor >= 0 { SystemCalls.close(descriptor) }
    }

    // MARK: Facts

    /// The options of the connection.
    ///
    /// ``ConnectOptions/timeouts`` can be changed at any time: those for sending, receiving and closing
    /// apply from the next call on. Everything else, limits included, is read when the socket connects,
    /// so a change applies from the next connection on.
    public var options: ConnectOptions {
        get { state.withLock { $0.options } }
        set {
            // The closures of the former options are released outside the lock.
            var value = newValue
            let closeTimeout = newValue.timeouts.close
            let connection = state.withLock { state -> Connection? in
                swap(&state.options, &value)
                guard case .open(let connection) = state.link else { return nil }
                return connection
            }
            connection?.setCloseTimeout(closeTimeout)
        }
    }

    /// The limit of each call that sends or receives; `nil` waits without end, zero doesn't wait.
    /// The value read is the limit of receiving.
    public var timeout: Duration? {
        get { state.withLock { $0.options.timeouts.receive } }
        set {
            state.withLock { state in
                state.options.timeouts.send = newValue
                state.options.timeouts.receive = newValue
            }
        }
    }

    /// Whether the connection is open, as far as is known: false once a call has found it closed or
    /// lost. If that call was a send, messages that the peer has sent can still be received.
    public var isConnected: Bool { connection?.isOpen ?? false }

    /// The server's answer to the handshake, also after the connection has ended.
    public var handshakeResponse: HandshakeResponse? { state.withLock { $0.response } }

    /// The HTTP status of the handshake: 101, or that of a refusal.
    public var status: Int? { handshakeResponse?.statusCode }

    /// The header fields of the server's answer.
    public var headers: HTTPFields { handshakeResponse?.headers ?? [:] }

    /// The subprotocol that the server chose, as the server spelled it.
    public var subprotocol: String? { state.withLock { $0.subprotocol } }

    /// Whether the connection is encrypted.
    public var isSecure: Bool { state.withLock { $0.isSecure } }

    /// The connection's socket, for poll(2) and socket options; never read, write or close it.
    /// `nil` when not connected.
    ///
    /// It is readable only if there are bytes that haven't been read yet. One read may get many frames,
    /// the first ones together with the handshake, so before you wait for the descriptor, receive as
    /// long as ``hasBufferedFrames`` is true.
    public var fileDescriptor: Int32? { connection?.stream.descriptor }

    /// Whether a receiving call would find a frame, or the news of the connection's end, without waiting
    /// for ``fileDescriptor``.
    ///
    /// ```swift
    /// while socket.hasBufferedFrames { print(try socket.receive()) }
    /// ```
    ///
    /// It doesn't block, but it reads what has arrived, as TLS may hold bytes that poll(2) doesn't see.
    /// The frame may be a ping, or a fragment whose message isn't complete: `receive()` then waits for
    /// the rest, at most ``Timeouts/receive``. False while another thread receives, and when not
    /// connected.
    public var hasBufferedFrames: Bool { connection?.holdsFrame ?? false }

    /// The peer's close frame, once it has come.
    public var closeFrame: ClosePayload? {
        state.withLock { state in
            switch state.link {
            case .open(let connection): connection.closeReceived
            case .ended(_, let closeReceived, _): closeReceived
            case .unconnected, .connecting: nil
            }
        }
    }

    /// How much the peer's system has acknowledged, at least; to be compared with receipts.
    ///
    /// ```swift
    /// var unconfirmed = [try socket.sendWithReceipt("one"), try socket.sendWithReceipt("two")]
    /// unconfirmed.removeAll { $0 <= socket.acknowledged }
    /// ```
    ///
    /// ``SendReceipt`` says what that means and what it doesn't. It asks the system, without waiting;
    /// after the connection's end it keeps its last value. It is less than every receipt before the
    /// first connection, and on a connection that isn't TCP.
    public var acknowledged: SendReceipt {
        let (connection, last) = state.withLock { state -> (Connection?, SendReceipt) in
            switch state.link {
            case .open(let connection): (connection, .none)
            case .ended(_, _, let acknowledged): (nil, acknowledged)
            case .unconnected, .connecting: (nil, .none)
            }
        }
        return connection?.acknowledged ?? last
    }

    // MARK: Sending

    /// Sends a text message as one frame (RFC 6455 §5.6).
    ///
    /// Blocks until the operating system has taken the message, at most ``Timeouts/send``. If other
    /// threads are sending at the same time, a small message may be left to one that is writing and not
    /// waiting for the peer; if the connection fails just then, the next call throws the error. With
    /// ``ConnectOptions/corking``, it returns when the message is in the connection's buffer.
    ///
    /// - Parameter text: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut` (see ``WebSocketError/Operation/sending(isAccepted:)``
    ///   for whether the message will still go out), `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    open func send(_ text: String) throws -> Int {
        try sendText(text)
    }

    /// Sends a binary message as one frame; otherwise as `send(_:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    open func send(binary bytes: [UInt8]) throws -> Int {
        try sendBytes(bytes, opcode: .binary)
    }

    /// Sends one frame as it is: for fragmenting by hand (RFC 6455 §5.4), and for subclasses, which can
    /// see every frame here.
    ///
    /// - Parameter frame: The frame; a control frame has at most 125 bytes and is final.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `invalidArgument` for a frame that no peer would accept,
    ///   `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    open func send(frame: Frame) throws -> Int {
        try sendFrame(frame)
    }

    /// Sends a ping (RFC 6455 §5.5.2). It doesn't wait for the pong.
    ///
    /// - Parameter payload: At most 125 bytes, which the pong repeats.
    /// - Throws: ``WebSocketError``: `invalidArgument` for a longer payload, `timedOut`,
    ///   `connectionClosed`, `aborted`.
    @available(*, noasync)
    open func ping(_ payload: [UInt8] = []) throws {
        try send(frame: Frame(opcode: .ping, payload: payload))
    }

    /// Sends an unsolicited pong (RFC 6455 §5.5.3); pings are answered automatically.
    ///
    /// - Parameter payload: At most 125 bytes.
    /// - Throws: ``WebSocketError``: `invalidArgument` for a longer payload, `timedOut`,
    ///   `connectionClosed`, `aborted`.
    @available(*, noasync)
    open func pong(_ payload: [UInt8] = []) throws {
        try send(frame: Frame(opcode: .pong, payload: payload))
    }

    // MARK: Receiving

    /// Waits for the next message. Pings are answered meanwhile.
    ///
    /// Blocks until a message is there, at most ``Timeouts/receive``, which is unlimited by default. If
    /// a close frame comes instead, it answers it and waits for the end of the stream, for at most
    /// another ``Timeouts/close``. With ``ConnectOptions/deliversFragments``, it returns fragments.
    ///
    /// - Returns: The message.
    /// - Throws: ``WebSocketError``: `connectionClosed` if the peer closed or was lost;
    ///   `protocolViolation` or `invalidPayload` if it broke a rule, after a close frame with the
    ///   reason has been sent; `timedOut`, after which the next call goes on where this one stopped;
    ///   `aborted`.
    @available(*, noasync)
    open func receive() throws -> Message {
        try receiveMessage()
    }

    /// Waits for the next message as bytes; otherwise as `receive()`.
    ///
    /// - Parameter controlFrames: Whether pings and pongs are returned too, pings after they have
    ///   been answered.
    /// - Returns: The opcode, and the payload; text has been checked.
    /// - Throws: As `receive()`.
    @available(*, noasync)
    open func receiveData(
        controlFrames: Bool = false
    ) throws -> (opcode: Opcode, payload: [UInt8]) {
        let frame = try receiveDataFrame(controlFrames: controlFrames)
        return (frame.opcode, frame.payload)
    }

    /// Waits for the next message as one frame, or, with ``ConnectOptions/deliversFragments``, for
    /// its next fragment; otherwise as `receive()`. It goes through ``receiveFrame()``.
    ///
    /// - Parameter controlFrames: Whether pings and pongs are returned too, pings after they have
    ///   been answered.
    /// - Returns: The message as one frame; or the control frame, or the fragment.
    /// - Throws: As `receive()`.
    @available(*, noasync)
    open func receiveDataFrame(
        controlFrames: Bool = false
    ) throws -> Frame {
        try receiveJoined(controlFrames: controlFrames)
    }

    /// Waits for the next frame, and neither joins nor answers it. A subclass can see every frame here.
    /// If you call it directly, answer pings and close frames yourself.
    ///
    /// - Returns: The frame, unmasked; compressed payloads stay compressed, with `rsv1` set.
    /// - Throws: As `receive()`; `invalidArgument` inside a message that `receive()` began.
    @available(*, noasync)
    open func receiveFrame() throws -> Frame {
        try receiveOneFrame()
    }

    // MARK: The end

    /// Closes the connection with a closing handshake (RFC 6455 §7.1.2).
    ///
    /// Sends a close frame, drops messages that still arrive, and waits for the peer's close frame: at
    /// most `timeout` in all, whatever the peer does. The descriptor is closed in any case. Other
    /// threads' calls throw ``WebSocketError/connectionClosed(_:)``. Does nothing if the socket isn't
    /// connected.
    ///
    /// - Parameters:
    ///   - code: The reason as a number; 1000, 1001 or 3000 to 4999 are for applications.
    ///   - reason: The reason in words, at most 123 bytes of UTF-8; more is cut.
    ///   - timeout: The limit. Default: ``Timeouts/close``, 3 s.
    /// - Returns: What the peer's close frame carried; `nil` if none came in time.
    /// - Throws: ``WebSocketError/invalidArgument(_:)`` for a code that may not be sent.
    @available(*, noasync)
    @discardableResult
    open func close(
        code: CloseCode = .normalClosure,
        reason: String = "",
        timeout: Duration? = nil
    ) throws -> ClosePayload? {
        try closeGracefully(ClosePayload(code: code, reason: reason), timeout: timeout)
    }

    /// Ends the connection at once, without a closing handshake, from any thread. Calls in flight throw
    /// ``WebSocketError/aborted``, and so does a call that is connecting.
    open func abort() {
        let connection = state.withLock { state -> Connection? in
            switch state.link {
            case .connecting(let wakeUp): wakeUp.signal()
            case .open(let connection): return connection
            case .unconnected, .ended: break
            }
            return nil
        }
        guard let connection else { return }
        connection.abort()
        detach(connection)
    }

    /// As ``abort()``; the name that websocket-client's users know.
    public func shutdown() { abort() }

    // MARK: Inside

    /// The open connection.
    var connection: Connection? {
        state.withLock { state in
            guard case .open(let connection) = state.link else { return nil }
            return connection
        }
    }

    var traffic: Traffic? { state.withLock { $0.traffic } }

    /// Runs `body` on the open connection, and releases the connection if that ends it.
    func withConnection<Result>(
        _ body: (Connection, CallTimeouts) throws -> Result
    ) throws -> Result {
        let (connection, timeouts) = try openConnection()
        do {
            return try body(connection, timeouts)
        } catch {
            if connection.end != nil { detach(connection) }
            throw error
        }
    }

    /// The open connection, and the limits of a call on it.
    @inline(__always)
    func openConnection() throws -> (Connection, CallTimeouts) {
        try state.withLock { state throws -> (Connection, CallTimeouts) in
            guard case .open(let connection) = state.link else { throw state.link.whyNotOpen }
            return (connection, CallTimeouts(state.options.timeouts))
        }
    }

    /// Releases a connection that has ended: its descriptor is closed when the last call has left.
    func detach(_ connection: Connection) {
        connection.publishCounts()
        let acknowledged = connection.acknowledged
        let end = connection.end ?? .aborted
        state.withLock { state in
            guard case .open(let current) = state.link, current === connection else { return }
            state.link = .ended(
                end,
                closeReceived: connection.closeReceived,
                acknowledged: acknowledged
            )
        }
    }
}
