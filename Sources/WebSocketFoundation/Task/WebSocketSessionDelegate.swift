public import Foundation

/// Receives the events of a ``WebSocketSession``, in the shape of Foundation's
/// `URLSessionWebSocketDelegate`.
///
/// Every method has a default that does nothing. All run on the session's
/// ``WebSocketSession/delegateQueue``.
public protocol WebSocketSessionDelegate: AnyObject, Sendable {
    /// The handshake has succeeded; not called when it fails.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - webSocketTask: The task.
    ///   - protocol: The subprotocol that the server chose, if any.
    func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didOpenWithProtocol protocol: String?
    )

    /// The server's close frame has come (RFC 6455 §5.5.1).
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - webSocketTask: The task.
    ///   - closeCode: The server's code; `noStatusReceived` if it gave none.
    ///   - reason: The server's reason, if it gave one.
    func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didCloseWith closeCode: WebSocketTask.CloseCode,
        reason: Data?
    )

    /// The task has completed: this is its last event.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - task: The task.
    ///   - error: `nil` if the server has closed the connection; otherwise why it ended.
    func urlSession(
        _ session: WebSocketSession,
        task: WebSocketTask,
        didCompleteWithError error: (any Error)?
    )

    /// The session has been invalidated and its last task has completed.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - error: Always `nil`.
    func urlSession(_ session: WebSocketSession, didBecomeInvalidWithError error: (any Error)?)
}

extension WebSocketSessionDelegate {
    /// Does nothing.
    public func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didOpenWithProtocol protocol: String?
    ) {}

    /// Does nothing.
    public func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didCloseWith closeCode: WebSocketTask.CloseCode,
        reason: Data?
    ) {}

    /// Does nothing.
    public func urlSession(
        _ session: WebSocketSession,
        task: WebSocketTask,
        didCompleteWithError error: (any Error)?
    ) {}

    /// Does nothing.
    public func urlSession(
        _ session: WebSocketSession,
        didBecomeInvalidWithError error: (any Error)?
    ) {}
}
