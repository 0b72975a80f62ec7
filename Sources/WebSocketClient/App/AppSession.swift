import Synchronization
import WebSocketProtocol

/// One run of a ``WebSocketApp``, from its first attempt to its last end: what to do next, and
/// which callbacks to call. It belongs to the dispatching thread, and no call of it waits.
final class AppSession {
    private enum Phase {
        case connecting(WebSocket)
        case open(WebSocket, SteppedConnection, since: Deadline)
        /// Before the next attempt.
        case waiting(until: Deadline)
        case ended
    }

    let key: Int
    private let app: WebSocketApp
    private let plan: RunPlan
    private unowned let dispatcher: Dispatcher
    private var phase = Phase.ended
    private var isClosing = false
    private var clock: KeepaliveClock?
    private var pingCount: UInt32 = 0
    /// Drops in a row, without a stable connection between them.
    private var drops = 0
    private var hasBeenOpen = false
    private var lastDeadline = Deadline.never

    /// Steps before other apps have their turn.
    private static let stepsInTurn = 64

    init(key: Int, app: WebSocketApp, plan: RunPlan, dispatcher: Dispatcher) {
        self.key = key
        self.app = app
        self.plan = plan
        self.dispatcher = dispatcher
    }

    // MARK: What the dispatcher asks

    /// What to wait for, and when to call ``advance(ready:)`` at the latest.
    var awaited: (descriptor: Int32, interest: Interest)? {
        guard case .open(_, let connection, _) = phase else { return nil }
        return (connection.descriptor, connection.interest)
    }

    var deadline: Deadline {
        switch phase {
        case .connecting, .ended: .never
        case .open(_, let connection, _):
            connection.isClosing
                ? connection.deadline : connection.deadline.earlier(clock?.deadline ?? .never)
        case .waiting(let deadline): deadline
        }
    }

    /// The deadline if it has changed since it was last asked.
    func takeChangedDeadline() -> Deadline? {
        let deadline = deadline
        guard deadline != lastDeadline else { return nil }
        lastDeadline = deadline
        return deadline
    }

    // MARK: What happens

    func start() { connect() }

    func requestClose() {
        app.requestClose(WebSocketApp.CloseRequest(payload: ClosePayload(code: .normalClosure)))
    }

    /// The attempt to connect is over.
    func connected(_ result: Result<Void, WebSocketError>) {
        guard case .connecting(let socket) = phase else { return }
        if case .failure(let error) = result { return dropped(error, received: nil, since: nil) }
        guard let connection = socket.connection else {
            return dropped(.aborted, received: nil, since: nil)
        }
        let stepped = SteppedConnection(
            connection,
            deliversFragments: plan.options.deliversFragments || app.onContinuation != nil,
            closeTimeout: plan.options.timeouts.close
        )
        phase = .open(socket, stepped, since: .after(.zero))
        clock = plan.keepalive.map { KeepaliveClock($0) }
        if app.closeRequest == nil { opened() }
    }

    /// Does what can be done at once, in answer to readiness, a deadline or a request. True if there
    /// is more to do.
    func advance(ready: Interest) -> Bool {
        if case .open(_, let connection, _) = phase { connection.becameReady(for: ready) }
        for _ in 0..<Self.stepsInTurn {
            if let request = app.closeRequest, !isClosing { obey(request) }
            switch phase {
            case .connecting, .ended: return false
            case .waiting(let deadline):
                guard deadline.isPast else { return false }
                // What came together with the handshake makes no descriptor ready: go on with it.
                connect()
            case .open(let socket, let connection, let since):
                switch connection.step() {
                case .message(let message): received(message)
                case .fragment(let frame): received(frame)
                case .control(let opcode, let payload): received(opcode, payload)
                case .nothing: break
                case .wait:
                    keepAlive(connection, hasReadAll: true)
                    return false
                case .ended(let error):
                    socket.detach(connection.connection)
                    let received = connection.connection.closeReceived
                    dispatcher.forget(connection.descriptor)
                    dropped(error, received: received, since: since)
                    return false
                }
            }
        }
        if case .open(_, let connection, _) = phase { keepAlive(connection, hasReadAll: false) }
        return true
    }

    /// The connection can't be waited for.
    func fail(_ error: WebSocketError) {
        guard case .open(_, let connection, _) = phase else { return }
        connection.connection.finish(error)
        connection.connection.stream.abort()
    }

    // MARK: Connecting

    private func connect() {
        guard app.closeRequest == nil else { return end() }
        let options: ConnectOptions
        do {
            options = try app.options(for: plan)
        } catch {
            let reason = error as? WebSocketError ?? .invalidArgument("\(error)")
            return dropped(reason, received: nil, since: nil)
        }
        let socket = WebSocket(options: options)
        phase = .connecting(socket)
        app.setSocket(socket)
        // Who closes from here on stops the connecting; who closed before is heard now.
        guard app.closeRequest == nil else {
            app.setSocket(nil)
            return end()
        }
        dispatcher.connect(socket, to: app.url, for: self)
    }

    private func opened() {
        defer { hasBeenOpen = true }
        if hasBeenOpen, let onReconnect = app.onReconnect {
            app.perform { try onReconnect($0) }
        } else if let onOpen = app.onOpen {
            app.perform { try onOpen($0) }
        }
    }

    // MARK: Receiving

    private func received(_ message: Message) {
        guard !isClosing else { return }
        if let onData = app.onData {
            let opcode: Opcode = if case .text = message { .text } else { .binary }
            app.perform { try onData($0, message.bytes, opcode, true) }
        }
        if let onMessage = app.onMessage { app.perform { try onMessage($0, message) } }
    }

    /// A fragment: the first goes to `onMessage`, further ones to `onContinuation`.
    private func received(_ frame: Frame) {
        guard !isClosing else { return }
        if let onData = app.onData {
            app.perform { try onData($0, frame.payload, frame.opcode, frame.isFinal) }
        }
        if frame.opcode == .continuation {
            guard let onContinuation = app.onContinuation else { return }
            app.perform { try onContinuation($0, frame.payload, frame.isFinal) }
        } else if let onMessage = app.onMessage {
            let message: Message =
                frame.opcode == .text ? .text(frame.text) : .binary(frame.payload)
            app.perform { try onMessage($0, message) }
        }
    }

    private func received(_ opcode: Opcode, _ payload: [UInt8]) {
        if opcode == .pong { app.pongArrived(payload) }
        guard !isClosing, let callback = opcode == .ping ? app.onPing : app.onPong else { return }
        app.perform { try callback($0, payload) }
    }

    // MARK: Keepalive

    private func keepAlive(_ connection: SteppedConnection, hasReadAll: Bool) {
        guard !connection.isClosing, clock?.deadline.isPast == true else { return }
        let traffic = KeepaliveClock.Traffic(connection.connection)
        switch clock?.look(traffic) {
        case .lost where hasReadAll:
            connection.connection.finish(.timedOut(.keepalive))
            connection.connection.stream.abort()
        case .ping:
            var payload = plan.keepalive?.payload ?? []
            if payload.isEmpty {
                pingCount &+= 1
                payload = withUnsafeBytes(of: pingCount.bigEndian) { Array($0) }
            }
            app.pingLeaves(payload)
            connection.send(.ping, payload)
            clock?.pinged(KeepaliveClock.Traffic(connection.connection))
        default: break
        }
    }

    // MARK: The end

    private func obey(_ request: WebSocketApp.CloseRequest) {
        isClosing = true
        switch phase {
        case .connecting(let socket): socket.stopConnecting()
        case .open(_, let connection, _):
            connection.close(request.payload, timeout: request.timeout)
        case .waiting: end()
        case .ended: break
        }
    }

    /// The connection has ended, or there was none: says so once, and plans what comes next.
    private func dropped(_ error: WebSocketError, received: ClosePayload?, since: Deadline?) {
        clock = nil
        app.connectionEnded(received)
        if app.closeRequest == nil, !error.isCleanClosure {
            app.report(error)
        }
        let lastEnd = ConnectionEnd(received: received)
        if let onClose = app.onClose {
            app.perform { try onClose($0, lastEnd.code, lastEnd.reason) }
        }
        guard app.closeRequest == nil, let reconnection = plan.reconnection else { return end() }
        if let since, since.elapsed >= reconnection.stablePeriod { drops = 0 }
        drops += 1
        guard reconnection.permits(error, attempt: drops) else { return end() }
        let random = Double.random(in: 0..<1)
        let delay = reconnection.delay(beforeAttempt: drops, random: random)
        phase = .waiting(until: .after(delay))
    }

    private func end() {
        phase = .ended
        app.runEnded()
        dispatcher.remove(self)
    }
}

extension KeepaliveClock.Traffic {
    init(_ connection: Connection) {
        self.init(
            receivedBytes: connection.receiver.receivedBytes.load(ordering: .relaxed),
            sentBytes: Int64(
                truncatingIfNeeded: connection.sender.sentBytes
            ),
            unacknowledgedBytes: Int64(connection.stream.unacknowledgedBytes),
            hasUnsentBytes: connection.sender.hasUnsentBytes
        )
    }
}

extension WebSocketError {
    fileprivate var isCleanClosure: Bool {
        if case .connectionClosed(let end) = self { end.isClean } else { false }
    }
}
