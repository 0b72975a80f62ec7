import Synchronization
import WebSocketProtocol

/// One run of a ``WebSocketApp``, from its first attempt to the end of its last connection: decides
/// what to do next and which callbacks to call. It belongs to the dispatching thread, and none of its
/// methods waits.
///
/// The app's ``RunPhase`` says where the run stands; this holds only what else the dispatching thread
/// needs.
final class AppSession: LoopMember, @unchecked Sendable {
    // Safe to send: other threads only carry a reference, back to the dispatching thread.
    let key: Int
    private let app: WebSocketApp
    private let plan: RunPlan
    private unowned let dispatcher: Dispatcher
    /// The connection that the loop waits for.
    private var link: OpenLink?
    private var clock: KeepaliveClock?
    private var pingCount: UInt32 = 0
    /// How many connections have dropped in a row, without a stable one between them.
    private var drops = 0
    private var hasBeenOpen = false

    /// How many steps an app takes before the others have their turn, and for how long: one step may mean
    /// many records of TLS without data.
    private static let stepsInTurn = 64
    private static let longestTurn = Duration.milliseconds(1)

    init(key: Int, app: WebSocketApp, plan: RunPlan, dispatcher: Dispatcher) {
        self.key = key
        self.app = app
        self.plan = plan
        self.dispatcher = dispatcher
    }

    // MARK: For the loop

    var awaited: (descriptor: Int32, interest: Interest)? {
        link.map { ($0.connection.descriptor, $0.connection.interest) }
    }

    var deadline: Deadline {
        if let connection = link?.connection {
            return connection.isClosing
                ? connection.deadline : connection.deadline.earlier(clock?.deadline ?? .never)
        }
        if case .waiting(let deadline) = app.phase { return deadline }
        return .never
    }

    func advance(ready: Interest) -> Bool {
        link?.connection.becameReady(for: ready)
        if let replay = plan.replay, link != nil { replay.goOn(hasRoom: ready.contains(.write)) }
        let end = Deadline.after(Self.longestTurn)
        for _ in 0..<Self.stepsInTurn {
            switch app.phase {
            case .closeRequested(let request, let former): obey(request, during: former)
            case .waiting(let deadline):
                guard deadline.isPast else { return false }
                connect()
            case .connecting: return false
            case .open(let link):
                guard step(link, delivers: true) else { return false }
            case .closing(let link):
                guard step(link, delivers: false) else { return false }
            case .ended:
                self.end()
                return false
            }
            if end.isPast { break }
        }
        if let link { keepAlive(link.connection, hasReadAll: false) }
        return true
    }

    func cannotWait(_ error: TransportError) {
        guard let connection = link?.connection.connection else { return }
        connection.finish(WebSocketError(error, during: .receiving))
        connection.stream.abort()
    }

    // MARK: Connecting

    private func connect() {
        plan.replay?.attend()
        let options: ConnectOptions
        do {
            options = try app.options(for: plan)
        } catch {
            let reason = error as? WebSocketError ?? .invalidArgument("\(error)")
            return drop(reason, received: nil, since: nil)
        }
        let attempt = OpeningAttempt(WebSocket(options: options), to: app.url)
        guard app.transition({ $0.connect(attempt) }) else { return }
        app.forgetPings()
        dispatcher.connect(attempt, for: self)
    }

    /// An attempt to connect is over, perhaps one that has been given up meanwhile.
    func connected(_ attempt: OpeningAttempt, _ result: Result<Void, WebSocketError>) {
        guard case .connecting(let current) = app.phase, current === attempt else {
            attempt.cancel()
            return
        }
        if case .failure(let error) = result { return drop(error, received: nil, since: nil) }
        guard let connection = attempt.socket.connection else {
            return drop(.aborted, received: nil, since: nil)
        }
        let stepped = SteppedConnection(
            connection,
            deliversFragments: plan.options.deliversFragments || app.onContinuation != nil,
            wake: { [weak dispatcher, key] in dispatcher?.nudge(key) }
        )
        let link = OpenLink(attempt.socket, stepped)
        guard app.transition({ $0.open(link) }) else { return attempt.cancel() }
        self.link = link
        clock = plan.keepalive.map { KeepaliveClock($0, now: .now) }
        app.connectionBegan(connection.traffic, isFirst: !hasBeenOpen)
        opened()
    }

    private func opened() {
        guard let replay = plan.replay else { return callOnOpen() }
        replay.opening { callOnOpen() }
        if let connection = link?.connection.connection { replay.opened(connection) }
    }

    private func callOnOpen() {
        defer { hasBeenOpen = true }
        if hasBeenOpen, let onReconnect = app.onReconnect {
            app.perform { try onReconnect($0) }
        } else if let onOpen = app.onOpen {
            app.perform { try onOpen($0) }
        }
    }

    // MARK: Receiving

    /// False if there is nothing to do until the descriptor is ready or a deadline passes.
    private func step(_ link: OpenLink, delivers: Bool) -> Bool {
        switch link.connection.step() {
        case .message(let message): if delivers { received(message) }
        case .fragment(let frame): if delivers { received(frame) }
        // A close frame is reported with the end of the connection.
        case .control(.close, _): break
        case .control(let opcode, let payload): received(opcode, payload, delivers: delivers)
        case .nothing: break
        case .wait:
            keepAlive(link.connection, hasReadAll: true)
            return false
        case .ended(let error):
            let connection = link.connection.connection
            link.socket.detach(connection)
            drop(error, received: connection.closeReceived, since: link.since)
        }
        return true
    }

    private func received(_ message: Message) {
        if let onData = app.onData {
            let opcode: Opcode = if case .text = message { .text } else { .binary }
            app.perform { try onData($0, message.bytes, opcode, true) }
        }
        if let onMessage = app.onMessage { app.perform { try onMessage($0, message) } }
    }

    /// A fragment: the first goes to `onMessage`, further ones to `onContinuation`.
    private func received(_ frame: Frame) {
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

    private func received(_ opcode: Opcode, _ payload: [UInt8], delivers: Bool) {
        if opcode == .pong {
            app.pongArrived(payload)
            if plan.replay?.receivedPong(payload) == true { return }
        }
        guard delivers, let callback = opcode == .ping ? app.onPing : app.onPong else { return }
        app.perform { try callback($0, payload) }
    }

    // MARK: Keepalive

    private func keepAlive(_ connection: SteppedConnection, hasReadAll: Bool) {
        guard !connection.isClosing, let due = clock?.deadline, due.isPast else { return }
        let now = Deadline.now
        let traffic = KeepaliveClock.Traffic(connection.connection)
        switch clock?.look(traffic, now: now) {
        case .lost where hasReadAll:
            connection.connection.finish(.timedOut(.keepalive))
            connection.connection.stream.abort()
            dispatcher.nudge(key)
        case .ping:
            var payload = plan.keepalive?.payload ?? []
            if payload.isEmpty {
                pingCount &+= 1
                payload = withUnsafeBytes(of: pingCount.bigEndian) { Array($0) }
            }
            app.pingLeaves(payload)
            connection.send(.ping, payload)
            clock?.pinged(KeepaliveClock.Traffic(connection.connection), now: now)
        default: break
        }
    }

    // MARK: The end

    private func obey(_ request: CloseRequest, during former: RunPhase) {
        switch former {
        case .open(let link):
            link.connection.close(request.payload, timeout: request.timeout)
            app.transition { $0.obey() }
        case .connecting(let attempt):
            attempt.cancel()
            drop(.aborted, received: nil, since: nil)
        default:
            app.transition { $0.obey() }
        }
    }

    /// The connection has ended, or couldn't be opened: reports that once, and plans the next step.
    private func drop(_ error: WebSocketError, received: ClosePayload?, since: Deadline?) {
        // The descriptor may be closed from here on.
        dispatcher.stopWaiting(key)
        plan.replay?.lost()
        link = nil
        clock = nil
        let goesOn = app.connectionEnded(received)
        if goesOn, !error.isCleanClosure { app.report(error) }
        if let onClose = app.onClose {
            let end = ConnectionEnd(received: received)
            app.perform { try onClose($0, end.code, end.reason) }
        }
        guard case .waiting = app.phase else { return }
        if let since, let reconnection = plan.reconnection,
            since.elapsed >= reconnection.stablePeriod
        {
            drops = 0
        }
        drops += 1
        let delay = plan.reconnection?.delay(after: error, attempt: drops)
        if let delay, let logger = plan.options.logger {
            ConnectionLog(logger).reconnecting(in: delay)
        }
        app.transition { $0.wait(until: delay.map { .after($0) }) }
    }

    private func end() {
        app.endRun(key)
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
