import WebSocketProtocol

/// A part of a message, as ``WebSocket/receive(into:)`` delivers it.
public struct MessagePart: Sendable, Hashable {
    /// Text or binary.
    public var opcode: Opcode
    /// How many bytes of the buffer it takes, from the start; text may be cut inside a character.
    public var count: Int
    /// Whether the message ends with it.
    public var isLast: Bool
}

extension WebSocket {
    /// Waits for the next part of a message, into the caller's memory: for messages too large to
    /// hold, and for receiving without allocations.
    ///
    /// It returns as soon as something is there. Text is checked as it arrives. Blocks like
    /// `receive()`. Not for subclasses that override ``receiveFrame()``, which it bypasses.
    /// ``ConnectOptions/deliversFragments`` makes no difference: parts don't show where fragments end.
    ///
    /// - Parameter buffer: Where the bytes go; at least one byte.
    /// - Returns: The part.
    /// - Throws: As `receive()`; `invalidArgument` for an empty buffer, and inside a message that
    ///   `receive()` began.
    @available(*, noasync)
    public func receive(into buffer: inout MutableRawSpan) throws -> MessagePart {
        guard buffer.byteCount > 0 else {
            throw WebSocketError.invalidArgument("The buffer to receive into is empty.")
        }
        return try buffer.withUnsafeMutableBytes { (room) throws in
            try withConnection { connection, timeouts in
                var deadline = LazyDeadline(timeouts.receive)
                return try connection.withReceivingTurn(&deadline) {
                    (deadline) throws(WebSocketError) in
                    try connection.nextPart(into: room, &deadline)
                }
            }
        }
    }
}
