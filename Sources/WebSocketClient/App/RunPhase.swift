/// Where the run of a ``WebSocketApp`` stands.
///
/// It is the only record of that, under the app's lock. The rules:
///
/// * Any thread asks for the end with ``requestClose(_:)``; all other transitions are the dispatching
///   thread's.
/// * A request to close is kept until the dispatching thread has obeyed it, or has met the end anyway,
///   whatever the run was doing. The first request counts.
/// * No transition runs the user's code, and none lets go of an attempt or a connection: the caller
///   keeps the former phase until it has left the lock.
///
/// ```
/// waiting ⇄ connecting → open → waiting | ended
///    └──────────┴─────────┴───→ closeRequested → closing | ended → ended
/// ```
enum RunPhase: Sendable {
    /// Before an attempt to connect, the first one included.
    case waiting(until: Deadline)
    case connecting(OpeningAttempt)
    case open(OpenLink)
    /// Somebody has asked for the end, which the dispatching thread is about to notice.
    indirect case closeRequested(CloseRequest, during: RunPhase)
    /// This end has begun the closing handshake: messages and their like are dropped.
    case closing(OpenLink)
    case ended

    /// The socket that is open or being opened.
    var socket: WebSocket? {
        switch self {
        case .connecting(let attempt): attempt.socket
        case .open(let link), .closing(let link): link.socket
        case .closeRequested(_, let former): former.socket
        case .waiting, .ended: nil
        }
    }

    // MARK: For any thread

    /// Asks for the end. False if there is nothing left to ask for.
    mutating func requestClose(_ request: CloseRequest) -> Bool {
        switch self {
        case .closeRequested, .closing, .ended: return false
        case .waiting, .connecting, .open:
            self = .closeRequested(request, during: self)
            return true
        }
    }

    // MARK: For the dispatching thread

    /// An attempt to connect begins; false if the run is to end instead.
    mutating func connect(_ attempt: OpeningAttempt) -> Bool {
        guard case .waiting = self else { return false }
        self = .connecting(attempt)
        return true
    }

    /// An attempt has succeeded; false if the run is to end instead.
    mutating func open(_ link: OpenLink) -> Bool {
        guard case .connecting = self else { return false }
        self = .open(link)
        return true
    }

    /// Obeys a request to close: there is a close frame to send, or else nothing is left but to end.
    mutating func obey() -> Bool {
        guard case .closeRequested(_, let former) = self else { return false }
        if case .open(let link) = former { self = .closing(link) } else { self = .ended }
        return true
    }

    /// A connection has ended, or an attempt has failed. False if the run ends with it.
    mutating func drop() -> Bool {
        switch self {
        case .connecting, .open, .waiting:
            self = .waiting(until: .never)
            return true
        case .closeRequested, .closing, .ended:
            self = .ended
            return false
        }
    }

    /// Plans the next attempt, or none; false if the run is to end anyway.
    mutating func wait(until deadline: Deadline?) -> Bool {
        guard case .waiting = self else { return false }
        self = deadline.map { .waiting(until: $0) } ?? .ended
        return true
    }
}

/// What a close carries and how long it may take.
struct CloseRequest: Sendable {
    var payload: ClosePayload
    var timeout: Duration?
}

/// An open connection of an app.
final class OpenLink: @unchecked Sendable {
    // Safe to send: `connection` belongs to the dispatching thread; others use `socket` only.
    let socket: WebSocket
    let connection: SteppedConnection
    let since = Deadline.now

    init(_ socket: WebSocket, _ connection: SteppedConnection) {
        self.socket = socket
        self.connection = connection
    }
}

extension RunPhase {
    /// Ends what is open or being opened, without a closing handshake.
    func abandon() {
        switch self {
        case .connecting(let attempt): attempt.cancel()
        case .open(let link), .closing(let link): link.socket.abort()
        case .closeRequested(_, let former): former.abandon()
        case .waiting, .ended: break
        }
    }
}
