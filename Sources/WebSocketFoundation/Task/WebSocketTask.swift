public import Foundation
import WebSocketClient

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// A WebSocket connection in the shape of Foundation's `URLSessionWebSocketTask`, which doesn't work on
/// every Linux system; made by a ``WebSocketSession``.
///
/// ```swift
/// import Foundation
/// import WebSocketFoundation
///
/// @Sendable func readNext(from task: WebSocketTask) {
///     task.receive { result in
///         guard case .success(let message) = result else { return }
///         print(message)
///         readNext(from: task)
///     }
/// }
/// ```
///
/// It behaves as Apple documents its class; <doc:LikeURLSession> compares them point by point. No call
/// blocks, and all may be called from any thread. Completion handlers run on the session's
/// ``WebSocketSession/delegateQueue``, never inside the call that takes them.
///
/// Errors are `URLError` or `POSIXError`, as with Apple's class; the `WebSocketError` with the details,
/// if there is one, is the underlying error. A running task is retained until it has completed.
public final class WebSocketTask: Sendable {
    /// A number that no other task of the session has.
    public let taskIdentifier: Int
    /// The request that the task was made with.
    public let originalRequest: URLRequest?
    let session: WebSocketSession

    private let protected = Locked(TaskState())
    let reading = WakeSignal()
    let writing = WakeSignal()

    init(identifier: Int, request: URLRequest, session: WebSocketSession) {
        taskIdentifier = identifier
        originalRequest = request
        self.session = session
    }

    deinit {
        // Only a task that never began has to be reported here.
        protected.withLock { $0.complete(nil).outstanding }.tell()
        session.forget(taskIdentifier)
    }

    // MARK: Facts

    /// The task's state.
    public var state: State { change { $0.state } }

    /// The request; redirects don't change it.
    public var currentRequest: URLRequest? { originalRequest }

    /// The server's answer to the handshake, also a refusal; `nil` until it has come.
    public var response: URLResponse? { change { $0.response } }

    /// Why the task has ended; `nil` before that, and if the server has closed the connection.
    public var error: (any Error)? { change { $0.phase == .completed ? $0.error : nil } }

    /// Why the connection was closed: the server's code, or the one of `cancel(with:reason:)` if the
    /// server has sent none. `invalid` until then.
    public var closeCode: CloseCode { change { $0.closeCode } }

    /// The reason that came with ``closeCode``; `nil` without one.
    public var closeReason: Data? { change { $0.closeReason } }

    /// A text for the program's own use; the task ignores it.
    public var taskDescription: String? {
        get { change { $0.taskDescription } }
        set { change { $0.taskDescription = newValue } }
    }

    /// The largest message that is received, in bytes; if a larger one comes, `receive()` fails with
    /// `POSIXError(.EMSGSIZE)`, and the connection ends. Up to this amount is read ahead of the calls
    /// that receive; beyond it, TCP holds the server back. Default: 1 MiB.
    ///
    /// The value at the first ``resume()`` applies to the connection.
    public var maximumMessageSize: Int {
        get { change { $0.maximumMessageSize } }
        set { change { $0.maximumMessageSize = max(0, newValue) } }
    }

    // MARK: Beginning and pausing

    /// Opens the connection, or goes on after ``suspend()``. A new task is suspended.
    ///
    /// The handshake may take as long as the request's time-out. After it, the delegate's
    /// `didOpenWithProtocol` is called, and queued messages are sent.
    public func resume() {
        guard change({ $0.resume() }) else { return wakeUp() }
        Task { await run() }
    }

    /// Stops sending and reading until ``resume()``, after the operations in progress. The server isn't
    /// told, and its pings aren't answered meanwhile.
    public func suspend() { change { $0.suspend() } }

    // MARK: Sending

    /// Queues a message, to be sent after those before it; also before the handshake.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - completionHandler: Called once on the delegate queue: with `nil` when the operating
    ///     system has taken the message, which doesn't mean that the server has got it; otherwise with
    ///     the error. One error fails everything else that is outstanding.
    public func send(
        _ message: Message,
        completionHandler: @escaping @Sendable ((any Error)?) -> Void
    ) {
        send(message, reply: onQueue { completionHandler($0.failure) })
    }

    /// Queues a message and waits, while the Swift task sleeps, until the operating system has taken
    /// it.
    ///
    /// Cancelling the Swift task changes nothing: the message is sent.
    ///
    /// - Parameter message: The message.
    /// - Throws: As `send(_:completionHandler:)`.
    public func send(_ message: Message) async throws {
        try await withCheckedThrowingContinuation { continuation in
            send(message, reply: { continuation.resume(with: $0) })
        }
    }

    /// Sends a ping and waits for its pong (RFC 6455 §5.5.2).
    ///
    /// - Parameter pongReceiveHandler: Called once on the delegate queue: with `nil` when the pong has come,
    ///   or with the error that ended the connection before. Several pings' handlers are called in the order of
    ///   the pings.
    public func sendPing(pongReceiveHandler: @escaping @Sendable ((any Error)?) -> Void) {
        let reply: Reply<Void> = onQueue { pongReceiveHandler($0.failure) }
        if let error = change({ $0.ping(reply) }) { return reply(.failure(error)) }
        writing.signal()
    }

    // MARK: Receiving

    /// Asks for the next message, once; also before the handshake.
    ///
    /// - Parameter completionHandler: Called once on the delegate queue, with a message as a whole or the
    ///   error that ended the connection. Each message goes to one call, in the order of the calls.
    public func receive(
        completionHandler: @escaping @Sendable (Result<Message, any Error>) -> Void
    ) {
        receive(key: change { $0.nextKey() }, reply: onQueue(completionHandler))
    }

    /// Waits for the next message while the Swift task sleeps.
    ///
    /// Cancelling the Swift task ends the wait and loses nothing: the message goes to the next call.
    ///
    /// - Returns: The message.
    /// - Throws: As `receive(completionHandler:)`; `CancellationError` if the Swift task was cancelled.
    public func receive() async throws -> Message {
        let key = change { $0.nextKey() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                receive(key: key, reply: { continuation.resume(with: $0) })
                // Cancelled before the call was queued.
                if Task.isCancelled { withdrawReceive(key) }
            }
        } onCancel: {
            withdrawReceive(key)
        }
    }

    // MARK: The end

    /// Closes the connection with a code and a reason (RFC 6455 §7.1.2).
    ///
    /// Queued messages go out before the close frame, if the server takes them within the time-out of
    /// closing (`Timeouts.close`, 3 s); then the task waits as long again for the server's close frame.
    /// Calls that receive get `URLError(.cancelled)` at once.
    ///
    /// - Parameters:
    ///   - closeCode: The code; one that may not be sent becomes `goingAway`.
    ///   - reason: UTF-8, at most 123 bytes; more is cut, and what isn't UTF-8 is replaced.
    public func cancel(with closeCode: CloseCode, reason: Data?) {
        cancel(with: closeCode, reason: reason, sendsRest: true)
    }

    /// Ends the task: whatever is outstanding gets `URLError(.cancelled)` at once, and a close frame with
    /// `goingAway` and no reason is sent.
    ///
    /// A task that hasn't been resumed completes without connecting; one that is connecting stops.
    public func cancel() { cancel(with: .goingAway, reason: nil, sendsRest: false) }

    // MARK: Inside

    /// Makes a change under the lock. `body` calls no user code.
    func change<Result: Sendable>(_ body: (inout TaskState) -> Result) -> Result {
        protected.withLock { state in body(&state) }
    }

    /// Wakes both directions, to look at what has changed.
    func wakeUp() {
        reading.signal()
        writing.signal()
    }

    func onQueue<Value: Sendable>(
        _ handler: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) -> Reply<Value> {
        { [queue = session.delegateQueue] result in queue.addOperation { handler(result) } }
    }

    private func send(_ message: Message, reply: @escaping Reply<Void>) {
        if let error = change({ $0.send(message, reply) }) { return reply(.failure(error)) }
        writing.signal()
    }

    private func receive(key: UInt64, reply: @escaping Reply<Message>) {
        guard let result = change({ $0.receive(key: key, reply) }) else { return }
        reply(result)
        // There is room again.
        reading.signal()
    }

    private func withdrawReceive(_ key: UInt64) {
        change { $0.withdrawReceive(key: key) }?(.failure(CancellationError()))
    }
}

extension Result where Failure == any Error {
    fileprivate var failure: (any Error)? {
        if case .failure(let error) = self { error } else { nil }
    }
}
