import WebSocketProtocol

// Messages in any collection of bytes. `[UInt8]`, strings and raw spans have calls of their own.
extension WebSocket {
    /// Sends a binary message from any collection of bytes, such as Foundation's `Data` or a slice;
    /// otherwise like `send(binary:)` with an array.
    ///
    /// Contiguous bytes, as in those two, are masked straight from there; others are copied first.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(binary bytes: some Collection<UInt8>) throws -> Int {
        let sent = try bytes.withContiguousStorageIfAvailable { try send(binary: $0.span.bytes) }
        return try sent ?? send(binary: Array(bytes))
    }

    /// Sends a binary message from a span of bytes; otherwise like `send(binary:)` with an array.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(binary bytes: Span<UInt8>) throws -> Int { try send(binary: bytes.bytes) }

    /// Sends text from any collection of UTF-8 bytes, such as Foundation's `Data`; it is checked in the
    /// same pass that masks it. Otherwise like `send(_:)`.
    ///
    /// - Parameter utf8: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `invalidPayload` if it isn't UTF-8 (nothing is sent),
    ///   `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(text utf8: some Collection<UInt8>) throws -> Int {
        let sent = try utf8.withContiguousStorageIfAvailable { try send(text: $0.span.bytes) }
        return try sent ?? send(text: Array(utf8).span.bytes)
    }

    /// Sends text from a span of UTF-8; otherwise like `send(text:)` with a collection.
    ///
    /// - Parameter utf8: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `invalidPayload` if it isn't UTF-8 (nothing is sent),
    ///   `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(text utf8: Span<UInt8>) throws -> Int { try send(text: utf8.bytes) }

    /// Sends a binary message from any collection of bytes, while the task sleeps.
    ///
    /// Like `send(binary:)` with an array, into which the bytes are copied.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: As `send(binary:)` with an array.
    @discardableResult
    public func send(binary bytes: some Collection<UInt8>) async throws -> Int {
        try await send(binary: Array(bytes))
    }
}

extension WebSocketApp {
    /// Sends a binary message from any collection of bytes, such as Foundation's `Data` or a slice;
    /// otherwise like `send(binary:)` with an array.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    @discardableResult
    public func send(binary bytes: some Collection<UInt8>) throws -> Int {
        try send(binary: Array(bytes))
    }
}
