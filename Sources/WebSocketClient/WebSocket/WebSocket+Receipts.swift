import WebSocketProtocol

// Sending with receipts, and waiting until they are acknowledged; `SendReceipt` says what that means.
extension WebSocket {
    /// Sends a text message as `send(_:)` does, and returns a receipt for it.
    ///
    /// ```swift
    /// let receipt = try socket.sendWithReceipt("order 4711")
    /// try socket.waitUntilAcknowledged(receipt, timeout: .seconds(5))
    /// ```
    ///
    /// Blocks until the operating system has taken the message, at most ``Timeouts/send``. Unlike
    /// `send(_:)`, it never leaves the message to another thread, so threads that send at the same time
    /// wait for each other. For thread safety and errors see `send(_:)`; if it throws although the
    /// message was accepted, the receipt of the next message, or of `flush()`, covers it.
    ///
    /// - Parameter text: The message.
    /// - Returns: The receipt, which covers everything sent before as well.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    public func sendWithReceipt(_ text: String) throws -> SendReceipt {
        try sendWithReceipt(.text(text))
    }

    /// Sends a binary message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The receipt.
    /// - Throws: As `sendWithReceipt(_:)`.
    @available(*, noasync)
    public func sendWithReceipt(binary bytes: [UInt8]) throws -> SendReceipt {
        try sendWithReceipt(.binary(bytes))
    }

    /// Sends a message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - compression: Whether to compress it, if compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on.
    /// - Returns: The receipt.
    /// - Throws: As `sendWithReceipt(_:)`.
    @available(*, noasync)
    public func sendWithReceipt(
        _ message: Message,
        compression: MessageCompression = .automatic
    ) throws -> SendReceipt {
        if isSubclass {
            try send(message, compression: compression)
            return try flush()
        }
        return try withConnection { connection, timeouts in
            var position: StreamPosition?
            try message.withFrame(compression) { frame in
                try connection.send(frame, timeout: timeouts.send, endingAt: &position)
            }
            return connection.receipt(position ?? 0)
        }
    }

    /// Sends a prepared message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameter message: The message.
    /// - Returns: The receipt.
    /// - Throws: As `sendWithReceipt(_:)`.
    @available(*, noasync)
    public func sendWithReceipt(_ message: PreparedMessage) throws -> SendReceipt {
        if isSubclass {
            try send(message)
            return try flush()
        }
        return try withConnection { connection, timeouts in
            var position: StreamPosition?
            try message.withFrame(for: connection.deflateChoice) { frame in
                try connection.send(frame, timeout: timeouts.send, endingAt: &position)
            }
            return connection.receipt(position ?? 0)
        }
    }

    /// Writes everything that has been accepted and not sent, and returns a receipt for it.
    ///
    /// That is: corked messages (``ConnectOptions/corking``), the rest of a message that a time-out
    /// interrupted, and messages that other threads have left to each other. Messages that a batch has
    /// collected aren't included until ``Batch/flush()``. After a batch, a file or fragments, this call
    /// returns a receipt for all of them.
    ///
    /// ```swift
    /// try socket.sendBatch(prices)
    /// try socket.waitUntilAcknowledged(socket.flush())
    /// ```
    ///
    /// Blocks until the operating system has taken it, at most ``Timeouts/send``. For any thread.
    ///
    /// - Returns: A receipt for everything that was sent or accepted before.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func flush() throws -> SendReceipt {
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.send)
            return connection.receipt(try connection.flush(&deadline))
        }
    }

    /// Blocks until the peer's system has acknowledged everything up to a receipt.
    ///
    /// Bytes before it that have not been written are written first. Any number of threads may wait at
    /// the same time, and other calls go on meanwhile. It returns at most 20 ms late.
    ///
    /// - Parameters:
    ///   - receipt: The receipt to wait for; it must be one of this connection.
    ///   - timeout: The limit; `nil` waits without end, zero only checks.
    /// - Throws: ``WebSocketError``: `timedOut(.acknowledgement)`; `connectionClosed` and `aborted` if the
    ///   connection ended before; `invalidArgument` for the receipt of another connection, and where the
    ///   connection isn't TCP.
    @available(*, noasync)
    public func waitUntilAcknowledged(_ receipt: SendReceipt, timeout: Duration? = nil) throws {
        if hasAcknowledgedFinally(receipt) { return }
        try withConnection { connection, _ in
            try connection.check(receipt)
            try connection.waitUntilAcknowledged(receipt.position, timeout: timeout)
        }
    }

    // MARK: Tasks

    /// Sends a text message as one frame, and returns a receipt for it.
    ///
    /// The task sleeps until the operating system has taken the message; cancellation as with
    /// `send(_:)`. If it throws although the message was accepted, the receipt of the next one covers
    /// it.
    ///
    /// - Parameter text: The message.
    /// - Returns: The receipt, which covers everything sent before as well.
    /// - Throws: As `send(_:)`.
    public func sendWithReceipt(_ text: String) async throws -> SendReceipt {
        try await sendWithReceipt(.text(text))
    }

    /// Sends a binary message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The receipt.
    /// - Throws: As `send(_:)`.
    public func sendWithReceipt(binary bytes: [UInt8]) async throws -> SendReceipt {
        try await sendWithReceipt(.binary(bytes))
    }

    /// Sends a message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - compression: Whether to compress it, if compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on.
    /// - Returns: The receipt.
    /// - Throws: As `send(_:)`.
    public func sendWithReceipt(
        _ message: Message,
        compression: MessageCompression = .automatic
    ) async throws -> SendReceipt {
        if isSubclass {
            return try await overridden {
                try $0.sendWithReceipt(message, compression: compression)
            }
        }
        return try await receipt { connection, slot, limit in
            Result { () throws(SendFailure) in
                try message.withFrame(compression) { (frame) throws(SendFailure) in
                    try connection.sender.attemptSend(frame, knocking: slot, limit: limit)
                }
            }
        }
    }

    /// Sends a prepared message, and returns a receipt for it; see `sendWithReceipt(_:)`.
    ///
    /// - Parameter message: The message.
    /// - Returns: The receipt.
    /// - Throws: As `send(_:)`.
    public func sendWithReceipt(_ message: PreparedMessage) async throws -> SendReceipt {
        if isSubclass { return try await overridden { try $0.sendWithReceipt(message) } }
        return try await receipt { connection, slot, limit in
            Result { () throws(SendFailure) in
                try message.withFrame(for: connection.deflateChoice) {
                    (frame) throws(SendFailure) in
                    try connection.sender.attemptSend(frame, knocking: slot, limit: limit)
                }
            }
        }
    }

    /// Writes everything that has been accepted and not sent, while the task sleeps, and returns a
    /// receipt for it.
    ///
    /// It takes at most ``Timeouts/send``. A cancelled call loses nothing: the rest goes out before the
    /// next message.
    ///
    /// - Returns: A receipt for everything that was sent or accepted before.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`, `cancelled`;
    ///   `CancellationError`.
    @discardableResult
    public func flush() async throws -> SendReceipt {
        try await receipt { connection, slot, limit in
            Result { () throws(SendFailure) in
                try connection.sender.attemptWritingAccepted(knocking: slot, limit: limit)
            }
        }
    }

    /// Sleeps until the peer's system has acknowledged everything up to a receipt.
    ///
    /// Bytes before it that have not been written are written first. Any number of tasks may wait at
    /// the same time, and other calls go on meanwhile. It returns at most 20 ms late.
    ///
    /// - Parameters:
    ///   - receipt: The receipt to wait for; it must be one of this connection.
    ///   - timeout: The limit; `nil` waits without end, zero only checks.
    /// - Throws: ``WebSocketError``: `timedOut(.acknowledgement)`; `connectionClosed` and `aborted` if the
    ///   connection ended before; `invalidArgument` for the receipt of another connection, and where the
    ///   connection isn't TCP. `CancellationError` if the task was cancelled.
    public func waitUntilAcknowledged(
        _ receipt: SendReceipt,
        timeout: Duration? = nil
    ) async throws {
        if hasAcknowledgedFinally(receipt) { return }
        try await withOpenConnection { connection, _ in
            try connection.check(receipt)
            try await connection.acknowledging(receipt.position, timeout: timeout)
        }
    }

    // MARK: Inside

    /// Whether a receipt is known to have been acknowledged before its connection ended.
    private func hasAcknowledgedFinally(_ receipt: SendReceipt) -> Bool {
        guard connection == nil else { return false }
        let acknowledged = acknowledged
        return receipt.connection == acknowledged.connection && receipt <= acknowledged
    }

    private func receipt(
        _ attempt: (Connection, WaitSlot?, LazyDeadline) -> Result<
            Attempt<StreamPosition>, SendFailure
        >
    ) async throws -> SendReceipt {
        try await withOpenConnection { connection, timeouts in
            var position: StreamPosition?
            try await connection.sending(timeout: timeouts.send, endingAt: &position) {
                (slot, limit) throws(SendFailure) in
                try attempt(connection, slot, limit).get()
            }
            return connection.receipt(position ?? 0)
        }
    }
}

extension Connection {
    fileprivate func check(_ receipt: SendReceipt) throws(WebSocketError) {
        guard receipt.connection == number else {
            throw .invalidArgument("The receipt belongs to another connection.")
        }
    }
}

extension Message {
    /// Runs `body` with the message as a frame, which is valid until `body` returns.
    func withFrame<Value, Failure>(
        _ compression: MessageCompression,
        _ body: (OutgoingFrame) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        func frame(_ opcode: Opcode, _ bytes: UnsafeRawBufferPointer) -> OutgoingFrame {
            OutgoingFrame(opcode: opcode, payload: bytes, compression: compression)
        }
        let result: Result<Value, Failure>
        switch self {
        case .text(var text):
            result = text.withUTF8 { bytes in
                Result { () throws(Failure) in
                    try body(frame(.text, UnsafeRawBufferPointer(bytes)))
                }
            }
        case .binary(let bytes):
            result = bytes.withUnsafeBytes { bytes in
                Result { () throws(Failure) in try body(frame(.binary, bytes)) }
            }
        }
        return try result.get()
    }
}
