public import Foundation
public import WebSocketClient

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// Makes ``WebSocketTask``s, in the shape of Foundation's `URLSession`.
///
/// In a program that was written for Apple's class, change the line that makes the session:
///
/// ```swift
/// import Foundation
/// import WebSocketFoundation
///
/// let task = WebSocketSession.shared.webSocketTask(with: URL(string: "wss://example.com/feed")!)
/// task.resume()
/// task.send(.string("hello")) { error in print(error as Any) }
/// ```
///
/// Every method returns at once and may be called from any thread. The delegate's methods and all completion
/// handlers run on ``delegateQueue``, one after the other if that is serial, and never while the session or
/// a task holds a lock, so they may call anything. The async calls resume wherever their task runs.
public final class WebSocketSession: Sendable {
    /// The session with the default configuration and no delegate. It can't be invalidated.
    public static let shared = WebSocketSession(configuration: .default)

    private struct State {
        var delegate: (any WebSocketSessionDelegate)?
        var lastIdentifier = 0
        var tasks: [Int: Member] = [:]
        var isInvalidated = false
    }

    private struct Member {
        weak var task: WebSocketTask?
    }

    /// The session's configuration. Its header fields, cookies and request time-out are used; see
    /// <doc:LikeURLSession>.
    public let configuration: URLSessionConfiguration
    /// Where the delegate's methods and completion handlers run.
    public let delegateQueue: OperationQueue
    /// The other options of each connection.
    public let options: ConnectOptions

    private let state: Locked<State>

    /// Makes a session.
    ///
    /// - Parameters:
    ///   - configuration: Its header fields, cookies and time-out are used.
    ///   - delegate: Is told of each connection's opening and end. The session retains it until it has
    ///     been invalidated.
    ///   - delegateQueue: Where the delegate's methods and completion handlers run; a serial queue keeps them
    ///     in order. Default: a serial queue of the session's own.
    ///   - options: Options that `URLSession` doesn't have: TLS, proxies, compression. The header
    ///     fields, time-outs and cookies of the configuration and the request replace those given here.
    public init(
        configuration: URLSessionConfiguration,
        delegate: (any WebSocketSessionDelegate)? = nil,
        delegateQueue: OperationQueue? = nil,
        options: ConnectOptions = ConnectOptions()
    ) {
        self.configuration = configuration
        self.options = options
        if let delegateQueue {
            self.delegateQueue = delegateQueue
        } else {
            self.delegateQueue = OperationQueue()
            self.delegateQueue.maxConcurrentOperationCount = 1
        }
        state = Locked(State(delegate: delegate))
    }

    /// The delegate; `nil` once the session has been invalidated.
    public var delegate: (any WebSocketSessionDelegate)? { state.withLock { $0.delegate } }

    // MARK: Tasks

    /// Makes a task for a URL, suspended.
    ///
    /// - Parameter url: A `ws` or `wss` URL. With any other the task fails once it is resumed.
    /// - Returns: The task.
    public func webSocketTask(with url: URL) -> WebSocketTask {
        webSocketTask(with: URLRequest(url: url))
    }

    /// Makes a task for a URL, suspended, that offers subprotocols (RFC 6455 §1.9).
    ///
    /// - Parameters:
    ///   - url: A `ws` or `wss` URL. With any other the task fails once it is resumed.
    ///   - protocols: The subprotocols, the preferred one first.
    /// - Returns: The task.
    public func webSocketTask(with url: URL, protocols: [String]) -> WebSocketTask {
        var request = URLRequest(url: url)
        if !protocols.isEmpty {
            request.setValue(
                protocols.joined(separator: ", "),
                forHTTPHeaderField: "Sec-WebSocket-Protocol"
            )
        }
        return webSocketTask(with: request)
    }

    /// Makes a task for a request, suspended.
    ///
    /// - Parameter request: Its URL, header fields and time-out are used; `Sec-WebSocket-Protocol` offers
    ///   subprotocols.
    /// - Returns: The task.
    public func webSocketTask(with request: URLRequest) -> WebSocketTask {
        let identifier = state.withLock { state in
            state.lastIdentifier += 1
            return state.lastIdentifier
        }
        let task = WebSocketTask(identifier: identifier, request: request, session: self)
        let isInvalidated = state.withLock { state in
            if !state.isInvalidated { state.tasks[identifier] = Member(task: task) }
            return state.isInvalidated
        }
        if isInvalidated { task.cancel() }
        return task
    }

    // MARK: The end

    /// Cancels all tasks, and releases the delegate when they have completed. New tasks are cancelled
    /// from the start.
    public func invalidateAndCancel() {
        guard self !== Self.shared else { return }
        let tasks = state.withLock { state in
            state.isInvalidated = true
            return state.tasks.values.compactMap(\.task)
        }
        for task in tasks { task.cancel() }
        finishIfInvalidated()
    }

    /// Releases the delegate when all tasks have completed. New tasks are cancelled from the start.
    public func finishTasksAndInvalidate() {
        guard self !== Self.shared else { return }
        state.withLock { $0.isInvalidated = true }
        finishIfInvalidated()
    }

    /// Called by a task that has completed, or has been released.
    func forget(_ identifier: Int) {
        state.withLock { _ = $0.tasks.removeValue(forKey: identifier) }
        finishIfInvalidated()
    }

    private func finishIfInvalidated() {
        let delegate = state.withLock { state -> (any WebSocketSessionDelegate)? in
            guard state.isInvalidated, state.tasks.isEmpty else { return nil }
            return state.delegate.take()
        }
        guard let delegate else { return }
        delegateQueue.addOperation { delegate.urlSession(self, didBecomeInvalidWithError: nil) }
    }
}
