import WebSocketAccel
import WebSocketProtocol

extension WebSocket {
    /// Sends the chunks of an asynchronous sequence as one message, with a fragment for each chunk.
    ///
    /// ```swift
    /// let (chunks, continuation) = AsyncStream<[UInt8]>.makeStream()
    /// continuation.yield(makeSnapshot())
    /// continuation.finish()
    /// try await socket.send(contentsOf: chunks) { sent, _ in print(sent, "bytes") }
    /// ```
    ///
    /// The next chunk is requested when the system has taken the one before, so a slow reader slows the
    /// sequence down, and only one chunk is in memory. A chunk of more than 256 KiB is sent as several
    /// fragments, an empty one isn't sent; without `total`, an empty fragment ends the message. Nothing
    /// is compressed. From the first chunk to the end, other callers' control frames may go out in
    /// between, while their messages wait (RFC 6455 §5.4): don't send a message on this socket from
    /// within the sequence.
    ///
    /// **A message that has begun can't be taken back.** If the sequence throws, if it yields more or less
    /// than `total`, or if the task is cancelled before the last chunk, then the connection is closed
    /// with 1011, which takes at most ``Timeouts/close``, and the peer never sees a complete message.
    /// If time runs out because the peer doesn't read, the connection is aborted. If any of this
    /// happens before the first chunk, nothing is sent and the connection stays open.
    ///
    /// A subclass's ``send(frame:)`` isn't called.
    ///
    /// - Parameters:
    ///   - chunks: The contents, such as an `AsyncStream` of `[UInt8]`.
    ///   - opcode: Text or binary. Text is checked to be UTF-8 before it is sent; chunks may cut characters.
    ///   - total: How many bytes there will be, if known: more or fewer are an error, so that the peer
    ///     doesn't take a part for the whole.
    ///   - progress: Called after each chunk with the number of bytes that the system has taken, and
    ///     `total`.
    /// - Returns: How many bytes were sent.
    /// - Throws: What the sequence throws; ``WebSocketError``: `invalidArgument` for a wrong `total`,
    ///   `invalidPayload` for text that isn't UTF-8, `timedOut` (each chunk has ``Timeouts/send``),
    ///   `connectionClosed`, `aborted`, `cancelled`; `CancellationError` if the task was cancelled and nothing
    ///   has been sent.
    @discardableResult
    public func send<Chunks: AsyncSequence>(
        contentsOf chunks: Chunks,
        as opcode: Opcode = .binary,
        total: Int? = nil,
        progress: ((_ sent: Int, _ total: Int?) -> Void)? = nil
    ) async throws -> Int where Chunks.Element: Collection<UInt8> {
        guard opcode == .text || opcode == .binary, total ?? 0 >= 0 else {
            throw WebSocketError.invalidArgument(
                "Contents are sent as text or binary, and their total can't be negative."
            )
        }
        return try await withOpenConnection { connection, timeouts in
            var message = TaskMessage(on: connection, as: opcode, timeout: timeouts.send)
            var contents = AsyncContents(isText: opcode == .text, total: total)
            do {
                chunks: for try await chunk in chunks {
                    // When the task is cancelled, a sequence may go on, or end as if it were complete.
                    try Task.checkCancellation()
                    let bytes = Array(chunk)
                    try contents.take(bytes)
                    var rest = bytes[...]
                    while !rest.isEmpty {
                        let piece = rest.prefix(AsyncContents.maximumFragment)
                        rest = rest.dropFirst(piece.count)
                        try await message.send(piece, isFinal: contents.isWhole && rest.isEmpty)
                        contents.sent += piece.count
                        progress?(contents.sent, total)
                    }
                    if contents.isWhole { break chunks }
                }
                if !message.isComplete {
                    try Task.checkCancellation()
                    try contents.checkEnd()
                    try await message.send([], isFinal: true)
                }
            } catch {
                throw await message.abandon(after: error, closeTimeout: timeouts.close)
            }
            await message.finish()
            return contents.sent
        }
    }
}

/// The progress of contents that come chunk by chunk.
private struct AsyncContents {
    static let maximumFragment = 256 << 10

    let isText: Bool
    let total: Int?
    /// How many bytes have come, and how many the stream has taken.
    private var taken = 0
    var sent = 0
    private var utf8 = UTF8State()

    init(isText: Bool, total: Int?) {
        self.isText = isText
        self.total = total
    }

    /// Whether everything announced has come.
    var isWhole: Bool { taken == total && taken > 0 }

    /// Checks a chunk.
    mutating func take(_ bytes: [UInt8]) throws {
        let (sum, overflows) = taken.addingReportingOverflow(bytes.count)
        guard !overflows, sum <= total ?? .max else {
            throw WebSocketError.invalidArgument("The contents are longer than their total.")
        }
        taken = sum
        guard isText else { return }
        let offset = bytes.withUnsafeBytes { Kernels.validate($0, state: &utf8) }
        guard offset < 0 else {
            throw WebSocketError.invalidPayload(offset: taken - bytes.count + offset)
        }
        if isWhole { try checkEnd() }
    }

    func checkEnd() throws {
        guard taken == total ?? taken else {
            throw WebSocketError.invalidArgument("The contents are shorter than their total.")
        }
        guard !isText || utf8.isOnBoundary else {
            throw WebSocketError.invalidPayload(offset: taken)
        }
    }
}
