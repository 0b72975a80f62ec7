import WebSocketProtocol

// Async overloads of the calls that send. Cancellation is as described at `send(_:)` for all of them.
extension WebSocket {
    /// Sends a text message as one frame while the task sleeps (RFC 6455 §5.6).
    ///
    /// It returns when the operating system has taken the message, at once if there is room. In this
    /// way, a slow reader slows its sender down; ``Timeouts/send`` is the limit. Tasks that send at the
    /// same time take turns, first come, first served.
    ///
    /// If the task is cancelled before the first byte of the message has been accepted, nothing is
    /// sent, and the call throws `CancellationError`. After that, the message goes out whole and before
    /// any other, without the task, and the call throws ``WebSocketError/cancelled(_:)`` with
    /// ``WebSocketError/Operation/sending(isAccepted:)``, so don't send it again. A frame is never cut.
    ///
    /// - Parameter text: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`, `cancelled`;
    ///   `CancellationError` if the task was cancelled and nothing has been sent.
    @discardableResult
    public func send(_ text: String) async throws -> Int {
        if isSubclass { return try await overridden { try $0.send(text) } }
        var text = text
        return try await send(.text) { send in text.withUTF8 { send(UnsafeRawBufferPointer($0)) } }
    }

    /// Sends a binary message as one frame; otherwise as `send(_:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: As `send(_:)`.
    @discardableResult
    public func send(binary bytes: [UInt8]) async throws -> Int {
        if isSubclass { return try await overridden { try $0.send(binary: bytes) } }
        return try await send(.binary) { send in bytes.withUnsafeBytes { send($0) } }
    }

    /// Sends a binary message and uses up its memory: it is masked in place, not copied.
    ///
    /// Otherwise like `send(_:)`; for large messages that aren't needed afterwards.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: As `send(_:)`.
    @discardableResult
    public func send(consuming bytes: consuming [UInt8]) async throws -> Int {
        if isSubclass {
            let message = bytes
            return try await overridden { try $0.send(binary: message) }
        }
        let count = bytes.count
        // Never in two variables at once, or the array would be copied for having two owners.
        var message: [UInt8] = []
        swap(&message, &bytes)
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                try connection.sender.attemptSend(consuming: &message, knocking: slot, limit: limit)
            }
        }
        return FrameHeader.frameLength(payload: count, isMasked: true)
    }

    /// Sends a message as one frame; otherwise as `send(_:)`.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - compression: Whether to compress it, if compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on.
    /// - Returns: The length of the frame on the wire, header included; for a compressed message, its
    ///   length without compression.
    /// - Throws: As `send(_:)`.
    @discardableResult
    public func send(
        _ message: Message,
        compression: MessageCompression = .automatic
    ) async throws -> Int {
        if isSubclass {
            return try await overridden { try $0.send(message, compression: compression) }
        }
        switch message {
        case .text(var text):
            return try await send(.text, compression) { send in
                text.withUTF8 { send(UnsafeRawBufferPointer($0)) }
            }
        case .binary(let bytes):
            return try await send(.binary, compression) { send in
                bytes.withUnsafeBytes { send($0) }
            }
        }
    }

    /// Sends a prepared message as one frame, compressed if that was agreed.
    ///
    /// - Parameter message: The message.
    /// - Throws: As `send(_:)`.
    public func send(_ message: PreparedMessage) async throws {
        if isSubclass { return try await overridden { try $0.send(message) } }
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                try message.withFrame(for: connection.deflateChoice) {
                    (frame) throws(SendFailure) in
                    try connection.sender.attemptSend(frame, knocking: slot, limit: limit)
                }
            }
        }
    }

    /// Sends a ping with text; see `ping(_:)`.
    ///
    /// - Parameter text: At most 125 bytes of UTF-8.
    /// - Throws: As `ping(_:)`.
    public func ping(_ text: String) async throws { try await ping(Array(text.utf8)) }

    /// Sends an unsolicited pong with text; see `pong(_:)`.
    ///
    /// - Parameter text: At most 125 bytes of UTF-8.
    /// - Throws: As `ping(_:)`.
    public func pong(_ text: String) async throws { try await pong(Array(text.utf8)) }

    /// Sends a ping (RFC 6455 §5.5.2). It waits neither for the pong nor behind messages.
    ///
    /// - Parameter payload: At most 125 bytes, which the pong repeats.
    /// - Throws: ``WebSocketError/invalidArgument(_:)`` for a longer payload; otherwise as
    ///   `send(_:)`.
    public func ping(_ payload: [UInt8] = []) async throws {
        if isSubclass { return try await overridden { try $0.ping(payload) } }
        try await sendControl(.ping, payload)
    }

    /// Sends an unsolicited pong (RFC 6455 §5.5.3); pings are answered automatically.
    ///
    /// - Parameter payload: At most 125 bytes.
    /// - Throws: As `ping(_:)`.
    public func pong(_ payload: [UInt8] = []) async throws {
        if isSubclass { return try await overridden { try $0.pong(payload) } }
        try await sendControl(.pong, payload)
    }

    /// Closes the connection with a closing handshake while the task sleeps (RFC 6455 §7.1.2).
    ///
    /// It takes at most `timeout` in all, whatever the peer does, and works in a cancelled task, so it
    /// can be used to clean up. Otherwise like the blocking call.
    ///
    /// - Parameters:
    ///   - code: The reason as a number; 1000, 1001 or 3000 to 4999 are for applications.
    ///   - reason: The reason in words, at most 123 bytes of UTF-8; more is cut.
    ///   - timeout: The limit. Default: ``Timeouts/close``, 3 s.
    /// - Returns: What the peer's close frame carried; `nil` if none came in time.
    /// - Throws: ``WebSocketError/invalidArgument(_:)`` for a code that may not be sent.
    @discardableResult
    public func close(
        code: CloseCode = .normalClosure,
        reason: String = "",
        timeout: Duration? = nil
    ) async throws -> ClosePayload? {
        if isSubclass {
            return try await overridden(isShielded: true) {
                try $0.close(code: code, reason: reason, timeout: timeout)
            }
        }
        try Self.check(code)
        guard let (connection, timeouts) = try? openConnection() else { return closeFrame }
        let received = try await connection.closing(
            ClosePayload(code: code, reason: reason),
            timeout: timeout ?? timeouts.close
        )
        detach(connection)
        return received
    }

    // MARK: Inside

    /// Calls a method that a subclass may have overridden. When the task is cancelled, the call has
    /// begun already, so it is waited for.
    func overridden<Value: Sendable>(
        isShielded: Bool = false,
        _ call: @escaping @Sendable (WebSocket) throws -> Value
    ) async throws -> Value {
        if !isShielded, Task.isCancelled { throw CancellationError() }
        return try await HelperCall { [self] in Result { try call(self) } }.value().get()
    }

    private func send(
        _ opcode: Opcode,
        _ compression: MessageCompression = .automatic,
        payload: (_ send: (UnsafeRawBufferPointer) -> Void) -> Void
    ) async throws -> Int {
        var count = 0
        try await withOpenConnection { connection, timeouts in
            try await connection.sending(timeout: timeouts.send) {
                (slot, limit) throws(SendFailure) in
                var result = Result<Attempt<StreamPosition>, SendFailure>.success(.again)
                payload { bytes in
                    count = bytes.count
                    let frame = OutgoingFrame(
                        opcode: opcode,
                        payload: bytes,
                        compression: compression
                    )
                    result = Result { () throws(SendFailure) in
                        try connection.sender.attemptSend(frame, knocking: slot, limit: limit)
                    }
                }
                return try result.get()
            }
        }
        return FrameHeader.frameLength(payload: count, isMasked: true)
    }

    private func sendControl(_ opcode: Opcode, _ payload: [UInt8]) async throws {
        guard payload.count <= FrameHeader.maximumControlPayload else {
            throw WebSocketError.invalidArgument("A control frame has at most 125 bytes.")
        }
        if Task.isCancelled { throw CancellationError() }
        try await withOpenConnection { connection, timeouts in
            if opcode == .ping { connection.traffic.pingLeaves(payload) }
            // Outside the line: it doesn't wait behind messages.
            let isQueued = try payload.withUnsafeBytes { bytes in
                try connection.sendControl(OutgoingFrame(opcode: opcode, payload: bytes))
            }
            if isQueued { return }
            _ = try await send(opcode) { send in payload.withUnsafeBytes { send($0) } }
        }
    }
}
