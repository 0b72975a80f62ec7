import WebSocketProtocol

extension WebSocket {
    /// The next message, or `nil` once the connection has been closed cleanly.
    ///
    /// ```swift
    /// while let message = try socket.next() { print(message) }
    /// ```
    ///
    /// Blocks like `receive()`. Cleanly means that the peer has sent a close frame with 1000, 1001 or
    /// no code (``ConnectionEnd/isClean``); any other end is thrown.
    ///
    /// - Returns: The message; `nil` at the end.
    /// - Throws: As `receive()`, except for a clean end.
    @available(*, noasync)
    public func next() throws -> Message? {
        do {
            return try receive()
        } catch WebSocketError.connectionClosed(let end) where end.isClean {
            return nil
        }
    }
}
