import WebSocketProtocol

extension WebSocket {
    /// Sends text as one frame, from UTF-8 in the caller's memory, which is checked in the same pass
    /// that masks it.
    ///
    /// - Parameter utf8: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `invalidPayload` if it isn't UTF-8 (nothing is sent),
    ///   `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(text utf8: RawSpan) throws -> Int {
        try utf8.withUnsafeBytes { (bytes) throws in
            try send(bytes, opcode: .text, needsUTF8Check: true)
        }
    }

    /// Sends a binary message from the caller's memory, as one frame.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(binary bytes: RawSpan) throws -> Int {
        try bytes.withUnsafeBytes { (bytes) throws in
            try send(bytes, opcode: .binary)
        }
    }

    /// Sends a binary message and uses up its memory: it is masked in place, not copied.
    ///
    /// ```swift
    /// try socket.send(consuming: makeSnapshot())
    /// ```
    ///
    /// For large messages that are not needed afterwards. If another variable holds the same array, the
    /// array is copied and that variable isn't changed; `consume` ends a variable's lifetime. Small
    /// messages, and those that are compressed, are sent as by `send(binary:)`.
    ///
    /// - Parameter bytes: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(consuming bytes: consuming [UInt8]) throws -> Int {
        if isSubclass { return try send(frame: Frame(opcode: .binary, payload: bytes)) }
        let count = bytes.count
        // Never in two variables at once, or the array would be copied for having two owners.
        var message: [UInt8] = []
        swap(&message, &bytes)
        try withConnection { connection, timeouts in
            guard connection.sender.sendsInPlace(count) else {
                _ = try sendBytes(message, opcode: .binary)
                return
            }
            var taken: [UInt8] = []
            swap(&taken, &message)
            try connection.send(consuming: consume taken, timeout: timeouts.send)
        }
        return FrameHeader.frameLength(payload: count, isMasked: true)
    }

    /// Sends a message as one frame.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - compression: Whether to compress it, if compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on.
    /// - Returns: The length of the frame on the wire, header included; for a compressed message, its
    ///   length without compression.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(
        _ message: Message,
        compression: MessageCompression = .automatic
    ) throws -> Int {
        switch message {
        case .text(let text):
            compression == .automatic ? try send(text) : try sendText(text, compression)
        case .binary(let bytes):
            compression == .automatic
                ? try send(binary: bytes) : try sendBytes(bytes, opcode: .binary, compression)
        }
    }

    /// Sends one unfragmented frame of any kind, like websocket-client's `send(payload, opcode)`.
    ///
    /// - Parameters:
    ///   - payload: The payload; text isn't checked.
    ///   - opcode: The kind of frame.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `invalidArgument` for a control frame of more than 125 bytes,
    ///   `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    @discardableResult
    public func send(_ payload: [UInt8], opcode: Opcode) throws -> Int {
        try send(frame: Frame(opcode: opcode, payload: payload))
    }

    /// Sends a ping with text; see `ping(_:)`.
    ///
    /// - Parameter text: At most 125 bytes of UTF-8.
    /// - Throws: ``WebSocketError``: `invalidArgument` for longer text, `timedOut`,
    ///   `connectionClosed`, `aborted`.
    @available(*, noasync)
    public func ping(_ text: String) throws { try ping(Array(text.utf8)) }

    /// Sends an unsolicited pong with text; see `pong(_:)`.
    ///
    /// - Parameter text: At most 125 bytes of UTF-8.
    /// - Throws: ``WebSocketError``: `invalidArgument` for longer text, `timedOut`,
    ///   `connectionClosed`, `aborted`.
    @available(*, noasync)
    public func pong(_ text: String) throws { try pong(Array(text.utf8)) }

    // MARK: Inside

    func sendText(
        _ text: String,
        _ compression: MessageCompression = .automatic
    ) throws -> Int {
        // Swift's strings are UTF-8 in memory: no copy and no check is needed.
        var text = text
        return try text.withUTF8 {
            try send(UnsafeRawBufferPointer($0), opcode: .text, compression: compression)
        }
    }

    func sendBytes(
        _ bytes: [UInt8],
        opcode: Opcode,
        _ compression: MessageCompression = .automatic
    ) throws -> Int {
        try bytes.withUnsafeBytes { try send($0, opcode: opcode, compression: compression) }
    }

    /// A subclass gets a frame; otherwise the payload is masked straight from the caller's memory.
    private func send(
        _ payload: UnsafeRawBufferPointer,
        opcode: Opcode,
        needsUTF8Check: Bool = false,
        compression: MessageCompression = .automatic
    ) throws -> Int {
        let frame = OutgoingFrame(
            opcode: opcode,
            payload: payload,
            needsUTF8Check: needsUTF8Check,
            compression: compression
        )
        if isSubclass {
            return try send(frame: copy(of: frame))
        }
        return try withConnection { connection, timeouts in
            try connection.send(frame, timeout: timeouts.send)
            return FrameHeader.frameLength(payload: payload.count, isMasked: true)
        }
    }

    /// A frame for a subclass to see, with its text checked.
    func copy(of frame: OutgoingFrame) throws(WebSocketError) -> Frame {
        do throws(SendFailure) {
            return try frame.copied()
        } catch {
            guard case .invalidUTF8(let offset) = error else { throw .aborted }
            throw .invalidPayload(offset: offset)
        }
    }

    func sendFrame(_ frame: Frame) throws -> Int {
        if frame.opcode.isControl {
            guard frame.payload.count <= FrameHeader.maximumControlPayload, frame.isFinal else {
                throw WebSocketError.invalidArgument(
                    "A control frame has at most 125 bytes and is not fragmented."
                )
            }
        }
        guard frame.opcode != .close else { return try sendCloseFrame(frame) }
        return try frame.payload.withUnsafeBytes { bytes in
            let outgoing = OutgoingFrame(
                opcode: frame.opcode,
                payload: bytes,
                isFinal: frame.isFinal,
                reservedBits: frame.reservedBits,
                compression: frame.compression
            )
            try withConnection { connection, timeouts in
                if frame.opcode == .ping { connection.traffic.pingLeaves(frame.payload) }
                if frame.opcode == .pong, joiningDeadline != nil {
                    // Inside a call that joins frames, answering a ping never blocks reading.
                    return try connection.sendWithoutWaiting(outgoing)
                }
                try connection.send(outgoing, timeout: timeouts.send)
            }
            return FrameHeader.frameLength(payload: bytes.count, isMasked: true)
        }
    }

    private func sendCloseFrame(_ frame: Frame) throws -> Int {
        guard let payload = frame.closePayload else {
            throw WebSocketError.invalidArgument("The close frame's payload is malformed.")
        }
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.send)
            try connection.sendClose(payload, &deadline)
        }
        return FrameHeader.frameLength(payload: frame.payload.count, isMasked: true)
    }
}
