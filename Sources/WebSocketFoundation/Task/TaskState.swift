import Foundation
import WebSocketClient

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Delivers a result to the caller that waits for it, on its queue or in its task. Never called under a
/// lock.
typealias Reply<Value: Sendable> = @Sendable (Result<Value, any Error>) -> Void

/// The mutable state of a ``WebSocketTask``: outstanding calls, messages that have arrived, how it
/// ended.
///
/// It is a value: methods change it, and return the work to do outside the lock.
struct TaskState: Sendable {
    enum Phase {
        /// Not resumed yet.
        case new
        case connecting, open, closing, completed
    }

    /// Messages and pings to send, in this order.
    enum Outgoing: Sendable {
        case message(WebSocketTask.Message, Reply<Void>)
        case ping(UInt64)
        case close(WebSocketClient.CloseCode, reason: String)
    }

    struct PendingReceive: Sendable {
        let key: UInt64
        let reply: Reply<WebSocketTask.Message>
    }

    private(set) var phase = Phase.new
    private(set) var isSuspended = true
    var maximumMessageSize = 1 << 20
    var taskDescription: String?
    var closeCode = WebSocketTask.CloseCode.invalid
    var closeReason: Data?
    /// Why the task has ended, or is about to.
    private(set) var error: (any Error)?
    /// The error of a call after the end.
    private(set) var lateError: any Error = POSIXError(.ENOTCONN)
    var response: HTTPURLResponse?
    /// The open connection.
    private(set) var socket: WebSocket?
    /// The tasks that connect, and that limit the time of closing; cancelling ends them early.
    var connecting: Task<Void, any Error>?
    var watch: Task<Void, Never>?

    private var outgoing = Queue<Outgoing>()
    private var receives = Queue<PendingReceive>()
    private var pings: [(number: UInt64, reply: Reply<Void>)] = []
    private var unread = Queue<WebSocketTask.Message>()
    private var unreadBytes = 0
    private var hasSendFailed = false
    private var wasClosedByPeer = false
    private var lastKey: UInt64 = 0

    var state: WebSocketTask.State {
        switch phase {
        case .completed: .completed
        case .closing: .canceling
        case .new, .connecting, .open: isSuspended ? .suspended : .running
        }
    }

    var hasEnded: Bool { phase == .completed || error != nil }

    // MARK: Beginning

    /// Resumes; true if the connection has to be opened now.
    mutating func resume() -> Bool {
        guard phase != .closing, phase != .completed else { return false }
        isSuspended = false
        guard phase == .new else { return false }
        phase = .connecting
        return true
    }

    mutating func suspend() {
        guard phase != .closing, phase != .completed else { return }
        isSuspended = true
    }

    /// Takes the open connection; false if the task has been cancelled meanwhile.
    mutating func didOpen(_ socket: WebSocket) -> Bool {
        connecting = nil
        guard phase == .connecting else { return false }
        self.socket = socket
        phase = .open
        return true
    }

    // MARK: Asking

    mutating func nextKey() -> UInt64 {
        lastKey += 1
        return lastKey
    }

    private var acceptsCalls: Bool { phase != .closing && !hasEnded }
    private var acceptsMessages: Bool { acceptsCalls && !hasSendFailed }

    /// Queues a message; returns an error if no more are accepted.
    mutating func send(_ message: WebSocketTask.Message, _ reply: @escaping Reply<Void>)
        -> (any Error)?
    {
        guard acceptsMessages else { return lateError }
        outgoing.append(.message(message, reply))
        return nil
    }

    mutating func ping(_ reply: @escaping Reply<Void>) -> (any Error)? {
        guard acceptsMessages else { return lateError }
        let number = nextKey()
        pings.append((number, reply))
        outgoing.append(.ping(number))
        return nil
    }

    /// The next message if there is one, or an error if none will come; otherwise queues the call.
    mutating func receive(key: UInt64, _ reply: @escaping Reply<WebSocketTask.Message>)
        -> Result<WebSocketTask.Message, any Error>?
    {
        if receives.isEmpty, let message = unread.popFirst() {
            unreadBytes -= message.byteCount
            return .success(message)
        }
        guard acceptsCalls else { return .failure(lateError) }
        receives.append(PendingReceive(key: key, reply: reply))
        return nil
    }

    /// Removes a call from the queue.
    mutating func withdrawReceive(key: UInt64) -> Reply<WebSocketTask.Message>? {
        receives.removeFirst { $0.key == key }?.reply
    }

    // MARK: Working

    enum Work<Item: Sendable>: Sendable {
        case item(Item)
        case wait, end
    }

    /// The next item to send.
    mutating func nextOutgoing() -> Work<Outgoing> {
        if hasEnded || hasSendFailed { return .end }
        if isSuspended, phase == .open { return .wait }
        return outgoing.popFirst().map { .item($0) } ?? .wait
    }

    /// Whether to read on: unread messages are kept up to the size of the largest one.
    func readsOn() -> Work<Void> {
        if hasEnded { return .end }
        if phase == .closing || hasSendFailed { return .item(()) }
        let isFull = unreadBytes > 0 && unreadBytes >= maximumMessageSize
        return isSuspended || isFull ? .wait : .item(())
    }

    /// Takes a message that has arrived; returns the call that has waited for it.
    mutating func didReceive(_ message: WebSocketTask.Message) -> Reply<WebSocketTask.Message>? {
        // A program that cancels wants no more messages.
        guard phase == .open else { return nil }
        if let receive = receives.popFirst() { return receive.reply }
        unread.append(message)
        unreadBytes += message.byteCount
        return nil
    }

    /// Takes a pong, which answers all pings up to its own (RFC 6455 §5.5.3).
    mutating func didReceivePong(_ number: UInt64) -> [Reply<Void>] {
        guard let index = pings.firstIndex(where: { $0.number == number }) else { return [] }
        let answered = pings[...index].map(\.reply)
        pings.removeSubrange(...index)
        return answered
    }

    // MARK: Ending

    /// The replies that are still owed, and the error that they get.
    struct Outstanding: Sendable {
        var messages: [Reply<Void>] = []
        var receives: [Reply<WebSocketTask.Message>] = []
        var error: any Error

        func tell() {
            for reply in messages { reply(.failure(error)) }
            for reply in receives { reply(.failure(error)) }
        }
    }

    enum Cancelling: Sendable {
        /// There is nothing to cancel.
        case none
        /// The task never began: it completes at once.
        case complete
        case stopConnecting(Outstanding)
        case close(Outstanding)
    }

    /// Begins to end the task. Messages that wait are sent before the close frame if `sendsRest`.
    mutating func cancel(
        with code: WebSocketTask.CloseCode,
        reason: Data?,
        sendsRest: Bool
    ) -> Cancelling {
        let former = phase
        guard former != .closing, !hasEnded else { return .none }
        lateError = URLError(.cancelled)
        phase = .closing
        isSuspended = false
        unread.removeAll()
        unreadBytes = 0
        guard former == .open else {
            error = lateError
            return former == .new ? .complete : .stopConnecting(takeOutstanding())
        }
        let outstanding = takeOutstanding(keepsOutgoing: sendsRest)
        closeCode = code
        closeReason = reason
        let words = reason.map { String(decoding: $0, as: UTF8.self) } ?? ""
        outgoing.append(.close(code.onWire ?? .goingAway, reason: words))
        return .close(outstanding)
    }

    /// Whether anything still has to go out before the close frame.
    var hasUnsentClose: Bool { phase == .closing && !outgoing.isEmpty && !hasEnded }

    /// Notes that nothing more can be sent; messages from the peer can still be received.
    mutating func failSending(_ error: any Error) -> Outstanding {
        hasSendFailed = true
        if phase != .closing { lateError = error }
        var outstanding = takeOutstanding(keepsReceives: true)
        outstanding.error = lateError
        return outstanding
    }

    /// Notes what ended the connection; the first error counts. A close by the peer isn't an error.
    mutating func fail(_ error: any Error, isPeersClose: Bool = false) {
        guard self.error == nil else { return }
        self.error = phase == .closing ? URLError(.cancelled) : error
        wasClosedByPeer = isPeersClose && phase != .closing
        lateError = self.error ?? error
    }

    /// Completes the task. `close` is the peer's close frame.
    mutating func complete(_ close: ClosePayload?) -> (
        outstanding: Outstanding, error: (any Error)?
    ) {
        let wasOpen = socket != nil
        phase = .completed
        connecting = nil
        socket = nil
        if close == nil, wasOpen, closeCode == .invalid { closeCode = .abnormalClosure }
        if let close {
            closeCode = close.code.map { WebSocketTask.CloseCode($0) } ?? .noStatusReceived
            closeReason = close.reason.isEmpty ? nil : Data(close.reason.utf8)
        }
        if wasClosedByPeer { error = nil }
        return (takeOutstanding(), error)
    }

    private mutating func takeOutstanding(
        keepsOutgoing: Bool = false,
        keepsReceives: Bool = false
    ) -> Outstanding {
        var outstanding = Outstanding(error: lateError)
        if !keepsOutgoing {
            for case .message(_, let reply) in outgoing.removeAll() {
                outstanding.messages.append(reply)
            }
        }
        outstanding.messages += pings.map(\.reply)
        pings.removeAll()
        if !keepsReceives { outstanding.receives = receives.removeAll().map(\.reply) }
        return outstanding
    }
}

extension WebSocketTask.Message {
    /// How much memory an unread message takes, overhead included.
    fileprivate var byteCount: Int {
        switch self {
        case .data(let data): data.count + 64
        case .string(let text): text.utf8.count + 64
        }
    }
}
