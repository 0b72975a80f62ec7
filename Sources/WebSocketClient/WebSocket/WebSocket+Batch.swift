import WebSocketProtocol

/// Messages that go out together; lent by `WebSocket.withBatch`.
///
/// They are masked into one buffer, which is sent whenever it is full (256 KiB) and at the end of the
/// batch. Until then, other threads' messages may go out before them.
public struct Batch: ~Copyable {
    private let socket: WebSocket
    private let connection: Connection
    private var writer: FrameWriter?
    /// How many messages the batch has taken so far.
    public private(set) var count = 0

    fileprivate init(socket: WebSocket, connection: Connection, writer: consuming FrameWriter?) {
        self.socket = socket
        self.connection = connection
        self.writer = writer
    }

    /// Adds a text message.
    ///
    /// - Parameter text: The message.
    /// - Throws: ``WebSocketError``, as `send(_:)`.
    public mutating func send(_ text: String) throws {
        try append(text: text)
    }

    fileprivate mutating func append(
        text: String,
        _ compression: MessageCompression = .automatic
    ) throws {
        var text = text
        try text.withUTF8 { utf8 in
            try append(
                OutgoingFrame(
                    opcode: .text,
                    payload: UnsafeRawBufferPointer(utf8),
                    compression: compression
                )
            )
        }
    }

    /// Adds a binary message.
    ///
    /// - Parameter bytes: The message.
    /// - Throws: ``WebSocketError``, as `send(binary:)`.
    public mutating func send(binary bytes: [UInt8]) throws {
        try append(binary: bytes.span.bytes)
    }

    /// Adds a binary message from the caller's memory, which can be reused on return.
    ///
    /// - Parameter bytes: The message.
    /// - Throws: ``WebSocketError``, as `send(binary:)`.
    public mutating func send(binary bytes: RawSpan) throws {
        try append(binary: bytes)
    }

    fileprivate mutating func append(
        binary bytes: RawSpan,
        _ compression: MessageCompression = .automatic
    ) throws {
        try bytes.withUnsafeBytes { bytes in
            try append(
                OutgoingFrame(opcode: .binary, payload: bytes, compression: compression)
            )
        }
    }

    /// Adds text as UTF-8 bytes; they are checked in the pass that masks them.
    ///
    /// - Parameter utf8: The message.
    /// - Throws: ``WebSocketError``: `invalidPayload` if it isn't UTF-8, which leaves the batch as it
    ///   was; otherwise as `send(_:)`.
    public mutating func send(text utf8: RawSpan) throws {
        try utf8.withUnsafeBytes { bytes in
            try append(OutgoingFrame(opcode: .text, payload: bytes, needsUTF8Check: true))
        }
    }

    /// Adds a message.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - compression: Whether to compress it, if compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on.
    /// - Throws: ``WebSocketError``, as `send(_:compression:)`.
    public mutating func send(
        _ message: Message,
        compression: MessageCompression = .automatic
    ) throws {
        try append(message, compression)
    }

    fileprivate mutating func append(
        _ message: Message,
        _ compression: MessageCompression = .automatic
    ) throws {
        switch message {
        case .text(let text): try append(text: text, compression)
        case .binary(let bytes): try append(binary: bytes.span.bytes, compression)
        }
    }

    /// Sends the messages collected so far.
    ///
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    public mutating func flush() throws {
        do throws(SendFailure) { try writer?.flush() } catch { throw connection.sendError(error) }
    }

    /// Ends the batch after an error; returns how many of its messages have gone out, or will.
    fileprivate mutating func abandon() -> Int { count - (writer?.abandon() ?? 0) }

    fileprivate mutating func finish() { writer?.finish() }

    /// The connection's sending half.
    var sender: Sender { connection.sender }

    /// Runs `body`; calls `end` if the connection ends meanwhile, or has ended already.
    func whenEnded(call end: @escaping @Sendable () -> Void, during body: () throws -> Void) throws
    {
        try connection.sender.whenEnded(call: end, during: body)
    }

    /// Adds a fragment, of which only the last counts as a message.
    mutating func append(_ frame: OutgoingFrame) throws {
        if writer == nil {
            // A subclass sees each frame.
            try socket.send(frame: socket.copy(of: frame))
        } else {
            do throws(SendFailure) {
                try writer?.append(frame)
            } catch {
                if case .transport(_, isAccepted: true) = error, frame.isFinal { count += 1 }
                throw connection.sendError(error)
            }
        }
        if frame.isFinal { count += 1 }
    }
}

extension WebSocket {
    /// Sends all messages with as few system calls as their size allows: for many small messages,
    /// dozens of times faster than one call each.
    ///
    /// Blocks until the operating system has taken them, each wait at most ``Timeouts/send``. It
    /// needs no more memory than one buffer, however many there are.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: ``WebSocketError/batchInterrupted(sent:cause:)``, which says how many messages have
    ///   gone out or will.
    @available(*, noasync)
    @discardableResult
    public func sendBatch(_ messages: some Sequence<Message>) throws -> Int {
        try withBatch { batch in
            for message in messages { try batch.append(message) }
            return batch.count
        }
    }

    /// Sends binary messages; see `sendBatch(_:)`.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: ``WebSocketError/batchInterrupted(sent:cause:)``.
    @available(*, noasync)
    @discardableResult
    public func sendBatch(binary messages: some Sequence<[UInt8]>) throws -> Int {
        try withBatch { batch in
            for message in messages { try batch.append(binary: message.span.bytes) }
            return batch.count
        }
    }

    /// Sends text messages; see `sendBatch(_:)`.
    ///
    /// - Parameter messages: The messages, in order.
    /// - Returns: How many were sent.
    /// - Throws: ``WebSocketError/batchInterrupted(sent:cause:)``.
    @available(*, noasync)
    @discardableResult
    public func sendBatch(_ messages: some Sequence<String>) throws -> Int {
        try withBatch { batch in
            for message in messages { try batch.append(text: message) }
            return batch.count
        }
    }

    /// Collects the messages that `body` adds to the batch, and sends them together, at the latest when
    /// `body` returns.
    ///
    /// Other threads may send meanwhile, even while `body` waits; their messages overtake those that
    /// the batch has collected but not sent. So do messages that `body` sends on the socket itself;
    /// call ``Batch/flush()`` first to keep the order. While a batch compresses messages that refer to
    /// each other (the default where compression was agreed), other threads' compressed messages wait
    /// for its end.
    ///
    /// ```swift
    /// try socket.withBatch { batch in
    ///     for price in prices { try batch.send(price) }
    /// }
    /// ```
    ///
    /// - Parameter body: Sends to the batch.
    /// - Returns: What `body` returns.
    /// - Throws: ``WebSocketError/batchInterrupted(sent:cause:)`` with the error that stopped it; any
    ///   error of `body`'s own, after the messages before it have been sent.
    @available(*, noasync)
    public func withBatch<Result>(_ body: (inout Batch) throws -> Result) throws -> Result {
        try collect(asOneMessage: false, body)
    }

    /// Like `withBatch`; with `asOneMessage`, for the fragments of one message, between which no other
    /// message may go out (RFC 6455 §5.4).
    func collect<Result>(
        asOneMessage: Bool,
        _ body: (inout Batch) throws -> Result
    ) throws -> Result {
        try withConnection { connection, timeouts in
            let reservation =
                isSubclass && asOneMessage
                ? try connection.reserveMessage(timeout: timeouts.send) : nil
            defer { _ = reservation }
            var batch = Batch(
                socket: self,
                connection: connection,
                writer: isSubclass
                    ? nil
                    : try connection.writer(timeout: timeouts.send, isMessage: asOneMessage)
            )
            defer { batch.finish() }
            do {
                let result = try body(&batch)
                try batch.flush()
                return result
            } catch let error as WebSocketError {
                throw WebSocketError.batchInterrupted(sent: batch.abandon(), cause: error)
            } catch {
                // Messages that the body has sent go out; its own error is rethrown.
                try batch.flush()
                throw error
            }
        }
    }
}
