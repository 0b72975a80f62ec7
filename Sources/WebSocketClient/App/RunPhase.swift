/// Where the run of a ``WebSocketApp`` stands.
///
/// This is the only record of it, and stands under the app's lock. The rules:
///
/// * Any thread may ask for the end with ``requestClose(_:)``; only the dispatching thread makes the
///   other transitions.
/// * A request to close is kept, whatever the run is doing, until the dispatching thread has obeyed it
///   or the run has ended anyway. The first request counts.
/// * No transition runs the user's code or releases an attempt or a connection: the caller keeps the
///   former phase until it has left the lock.
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
    /// Somebody has asked for the end; the dispatching thread is about to notice.
    indirect case closeRequested(CloseRequest, during: RunPhase)
    /// This end has begun the closing handshake: messages, pings and pongs are dropped.
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

    /// Asks for the end. False if the end has been asked for, or has come, already.
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

    /// Obeys a request to close: begins the closing handshake if a connection is open, or else ends the
    /// run. False without a request.
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

/// What a close frame carries, and how long closing may take.
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
