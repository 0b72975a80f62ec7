/// The messages of a connection as an asynchronous sequence; see ``WebSocket/messages``.
public struct Messages: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = Message
    /// A ``WebSocketError``, or `CancellationError`.
    public typealias Failure = any Error

    fileprivate let socket: WebSocket

    init(socket: WebSocket) { self.socket = socket }

    /// Takes messages from the connection. Several iterators share them: each message goes to one of
    /// them.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let socket: WebSocket

        /// The next message; `nil` once the peer has closed cleanly.
        ///
        /// - Returns: The message.
        /// - Throws: As `receive()`, except for the clean end.
        public mutating func next() async throws -> Message? { try await socket.next() }

        /// The next message, for a caller on `actor`; as ``next()``.
        ///
        /// - Parameter actor: Where the caller runs.
        /// - Returns: The message.
        /// - Throws: As ``next()``.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws -> Message? {
            try await socket.next()
        }
    }

    /// Begins to take messages.
    ///
    /// - Returns: An iterator.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: socket) }
}
