import WebSocketAccel
import WebSocketProtocol

/// How a file is divided into messages.
public enum FileFraming: Sendable, Hashable {
    /// One message, in fragments of `fragmentBytes` each (at least 4); the last one may be shorter.
    case oneMessage(fragmentBytes: Int = 256 << 10)
    /// Messages of `bytes` each (at least 4); the last one may be shorter, and text is cut between
    /// characters.
    case messages(bytes: Int)
}

extension WebSocket {
    /// Sends a file, without holding more than a piece of it in memory.
    ///
    /// Blocks until the operating system has taken all of it, each wait at most ``Timeouts/send``.
    /// Other threads' messages wait until then; pings and pongs go out in between. Nothing is
    /// compressed.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - opcode: Text or binary. Text is checked to be UTF-8 before it is sent.
    ///   - framing: One message or many.
    ///   - progress: Called after each piece with the bytes sent and the size of the file.
    /// - Returns: How many bytes were sent.
    /// - Throws: ``WebSocketError``: `system` if the file can't be read, `invalidPayload` for text
    ///   that isn't UTF-8, `timedOut`, `connectionClosed`, `aborted`; with many messages, inside
    ///   ``WebSocketError/batchInterrupted(sent:cause:)``. An error in the middle of a fragmented
    ///   message ends the connection, as nothing else could follow the fragments.
    @available(*, noasync)
    @discardableResult
    public func send(
        contentsOf path: String,
        as opcode: Opcode = .binary,
        framing: FileFraming = .oneMessage(),
        progress: ((_ sent: Int, _ total: Int) -> Void)? = nil
    ) throws -> Int {
        var pieces = try FilePieces(path: path, opcode: opcode, framing: framing)
        // With many messages, the caller has to know how many went out.
        if case .messages = framing {
            return try withBatch { batch in
                try send(&pieces, in: &batch, progress)
            }
        }
        return try withMessage { batch in
            try send(&pieces, in: &batch, progress)
        }
    }

    /// Sends a file as many messages, beginning with the first one that isn't known to have arrived.
    ///
    /// ```swift
    /// var offset = 0
    /// while true {
    ///     do {
    ///         let socket = try WebSocket.connect(to: "wss://example.com/upload")
    ///         try socket.send(
    ///             contentsOf: "/var/log/syslog",
    ///             framing: .messages(bytes: 64 << 10),
    ///             resumingAt: &offset
    ///         )
    ///         break
    ///     } catch WebSocketError.batchInterrupted {
    ///         print("goes on at byte", offset)
    ///     }
    /// }
    /// ```
    ///
    /// If the call throws, `offset` is set to the beginning of the first message that the peer's system
    /// hasn't acknowledged (``SendReceipt`` explains what that guarantees); the next call, on another
    /// connection, goes on there. The peer may get messages twice. The call returns once everything has
    /// been acknowledged, and `offset` is then the file's end. The file must not change meanwhile, and
    /// the framing has to stay the same.
    ///
    /// Blocks until then, each wait at most ``Timeouts/send``; otherwise like
    /// ``send(contentsOf:as:framing:progress:)``.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - opcode: Text or binary. Text is checked to be UTF-8 before it is sent.
    ///   - framing: Many messages, ``FileFraming/messages(bytes:)``.
    ///   - offset: Where to begin, in bytes from the file's beginning: 0, or the value that an earlier
    ///     call left here.
    ///   - progress: Called after each message with the offset of its end, and the size of the file.
    /// - Returns: How many bytes were sent by this call.
    /// - Throws: As ``send(contentsOf:as:framing:progress:)``; ``WebSocketError/invalidArgument(_:)``
    ///   if the framing is one message, the offset isn't in the file, or the connection isn't TCP.
    @available(*, noasync)
    @discardableResult
    public func send(
        contentsOf path: String,
        as opcode: Opcode = .binary,
        framing: FileFraming,
        resumingAt offset: inout Int,
        progress: ((_ sent: Int, _ total: Int) -> Void)? = nil
    ) throws -> Int {
        guard case .messages = framing else {
            throw WebSocketError.invalidArgument("Only many messages can be resumed, not one.")
        }
        let start = offset
        var pieces = try FilePieces(path: path, opcode: opcode, framing: framing)
        guard (0...pieces.size).contains(start) else {
            throw WebSocketError.invalidArgument("The file has \(pieces.size) bytes, not \(start).")
        }
        if start == pieces.size, start > 0 { return 0 }
        try pieces.seek(to: start)
        let connection = try openConnection().0
        var checkpoints = ResumePoints(offset: start)
        defer { offset = checkpoints.offset(acknowledged: connection.sender.acknowledgedPosition) }
        var end = start
        try withBatch { batch in
            repeat {
                try pieces.sendNext(to: &batch)
                end += pieces.lastCount
                if checkpoints.isDue(at: end) || pieces.isAtEnd {
                    try batch.flush()
                    checkpoints.add(end, writtenUpTo: batch.sender.writtenBytes)
                    _ = checkpoints.offset(acknowledged: batch.sender.acknowledgedPosition)
                }
                progress?(end, max(pieces.size, end))
            } while !pieces.isAtEnd
        }
        // This also waits for messages that other threads have sent since.
        let receipt = try flush()
        try waitUntilAcknowledged(receipt, timeout: options.timeouts.send)
        return end - start
    }

    private func send(
        _ pieces: inout FilePieces,
        in batch: inout Batch,
        _ progress: ((_ sent: Int, _ total: Int) -> Void)?
    ) throws -> Int {
        var sent = 0
        repeat {
            do {
                try pieces.sendNext(to: &batch)
            } catch {
                throw abortIfCut(
                    by: error,
                    isFirst: !pieces.isInsideMessage,
                    isFinal: pieces.endsMessage
                )
            }
            sent += pieces.lastCount
            progress?(sent, max(pieces.size, sent))
        } while !pieces.isAtEnd
        return sent
    }

    /// Sends one message in fragments, each as soon as the sequence has produced it.
    ///
    /// If the sequence's length isn't known, an empty fragment ends the message. While the sequence
    /// waits, other threads' control frames go out, but their messages wait for its end. On the same
    /// socket, the sequence itself may send only control frames: messages are refused with
    /// `invalidArgument`.
    ///
    /// Otherwise like ``send(contentsOf:as:framing:progress:)``.
    ///
    /// - Parameters:
    ///   - fragments: The parts of the message, in order.
    ///   - opcode: Text or binary; text isn't checked.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    @available(*, noasync)
    public func send(
        fragments: some Sequence<[UInt8]>,
        as opcode: Opcode = .binary
    ) throws {
        // The next fragment is requested ahead, to mark the last one, only if the number of fragments
        // is known.
        let knownCount = fragments.underestimatedCount
        try withMessage { batch in
            var iterator = fragments.makeIterator()
            var fragment = iterator.next()
            var count = 0
            while true {
                count += 1
                let looksAhead = fragment != nil && knownCount > 0 && count >= knownCount
                var following = looksAhead ? iterator.next() : nil
                let isFinal = fragment == nil || looksAhead && following == nil
                do {
                    try (fragment ?? []).withUnsafeBytes { bytes in
                        try batch.append(
                            OutgoingFrame(
                                opcode: count == 1 ? opcode : .continuation,
                                payload: bytes,
                                isFinal: isFinal,
                                compression: .never
                            )
                        )
                    }
                    try batch.flush()
                } catch {
                    throw abortIfCut(by: error, isFirst: count == 1, isFinal: isFinal)
                }
                if isFinal { return }
                if !looksAhead { following = iterator.next() }
                fragment = following
            }
        }
    }

    /// A batch whose frames are one message, and whose errors are reported as that message's.
    private func withMessage<Result>(
        _ body: (inout Batch) throws -> Result
    ) throws -> Result {
        do {
            return try collect(asOneMessage: true, body)
        } catch WebSocketError.batchInterrupted(_, let cause) {
            throw cause
        }
    }
}

extension WebSocket {
    /// Ends the connection after an error at a fragment, if the message has begun and can't be
    /// completed: nothing else could follow it. Returns the error to throw.
    private func abortIfCut(
        by error: any Error,
        isFirst: Bool,
        isFinal: Bool
    ) -> any Error {
        // Bytes that a time-out has left will go out, so they count as sent.
        let isAccepted =
            if case WebSocketError.timedOut(.sending(isAccepted: true)) = error { true } else {
                false
            }
        let hasBegun = !isFirst || isAccepted
        let isComplete = isFinal && isAccepted
        guard hasBegun, !isComplete else { return error }
        abort()
        // The bytes that were left won't go out any more.
        return isAccepted ? WebSocketError.timedOut(.sending(isAccepted: false)) : error
    }
}

/// Maps positions in the stream to offsets in a file.
private struct ResumePoints {
    /// Everything before it has been acknowledged.
    private var acknowledged: Int
    private var points: [(offset: Int, position: StreamPosition)] = []
    private var last: Int

    /// How far apart they are, which is how much may be sent again needlessly.
    private static let distance = 256 << 10

    init(offset: Int) {
        acknowledged = offset
        last = offset
    }

    func isDue(at offset: Int) -> Bool { offset - last >= Self.distance }

    mutating func add(_ offset: Int, writtenUpTo position: StreamPosition) {
        points.append((offset, position))
        last = offset
    }

    /// The beginning of the first unacknowledged message, or of one of the last few before it.
    mutating func offset(acknowledged position: StreamPosition?) -> Int {
        guard let position else { return acknowledged }
        let count = points.prefix { Int64(bitPattern: position &- $0.position) >= 0 }.count
        if count > 0 { acknowledged = points[count - 1].offset }
        points.removeFirst(count)
        return acknowledged
    }
}

/// Reads a file one frame at a time.
private struct FilePieces: ~Copyable {
    private let reader: FileReader
    private let opcode: Opcode
    private let isOneMessage: Bool
    private var storage: [UInt8]
    /// The most bytes in a piece.
    private let limit: Int
    /// How many bytes at the front of the storage have been read but not sent: an incomplete character,
    /// and the byte that shows whether the file goes on.
    private var kept = 0
    private var utf8 = UTF8State()
    private(set) var isInsideMessage = false
    private(set) var isAtEnd = false
    private(set) var lastCount = 0

    private static let firstCapacity = 1 << 20

    var size: Int { reader.size }

    /// Whether the last piece, if it went out, ends a message.
    var endsMessage: Bool { !isOneMessage || isAtEnd }

    init(path: String, opcode: Opcode, framing: FileFraming) throws {
        let bytes: Int
        switch framing {
        case .oneMessage(let count):
            bytes = count
            isOneMessage = true
        case .messages(let count):
            bytes = count
            isOneMessage = false
        }
        guard opcode == .text || opcode == .binary, bytes >= 4 else {
            throw WebSocketError.invalidArgument(
                "A file is sent as text or binary, in pieces of at least 4 bytes."
            )
        }
        do throws(TransportError) {
            reader = try FileReader(path: path)
        } catch {
            throw WebSocketError(error, during: .sending(isAccepted: false))
        }
        self.opcode = opcode
        limit = min(bytes, .max - 1)
        // It grows as bytes are read: neither a limit nor a file's size is a reason to allocate.
        storage = [UInt8](repeating: 0, count: min(limit, Self.firstCapacity) + 1)
    }

    func seek(to offset: Int) throws {
        guard offset > 0 else { return }
        do throws(TransportError) {
            try reader.seek(to: offset)
        } catch {
            throw WebSocketError(error, during: .sending(isAccepted: false))
        }
    }

    mutating func sendNext(to batch: inout Batch) throws {
        var filled = kept
        let interrupt = reader.interrupt
        try batch.whenEnded(call: { interrupt?.signal() }) { filled = try fill() }
        isAtEnd = filled < storage.count
        var count = min(filled, limit)
        if opcode == .text { count = try check(count) }
        let frame = isInsideMessage ? Opcode.continuation : opcode
        let isFinal = endsMessage
        try storage.withUnsafeBytes { bytes in
            try batch.append(
                OutgoingFrame(
                    opcode: frame,
                    payload: UnsafeRawBufferPointer(rebasing: bytes[..<count]),
                    isFinal: isFinal,
                    compression: .never
                )
            )
        }
        isInsideMessage = !isFinal
        storage.replaceSubrange(0..<(filled - count), with: storage[count..<filled])
        kept = filled - count
        lastCount = count
    }

    /// Reads a piece and the byte behind it, as far as the file goes; returns how many bytes there are.
    private mutating func fill() throws -> Int {
        while true {
            let result = storage.withUnsafeMutableBytes { bytes in
                Result { () throws(TransportError) in
                    try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[kept...]))
                }
            }
            switch result {
            case .success(let count): kept += count
            case .failure(let error):
                throw WebSocketError(error, during: .sending(isAccepted: false))
            }
            guard kept == storage.count, kept <= limit else { return kept }
            storage += [UInt8](repeating: 0, count: min(kept, limit + 1 - kept))
        }
    }

    /// How many of the bytes to send: a separate text message must not end inside a character.
    private mutating func check(_ count: Int) throws -> Int {
        var count = count
        if !isOneMessage, !isAtEnd {
            var cut = count
            while cut > count - 4, cut > 0, storage[cut] & 0xC0 == 0x80 { cut -= 1 }
            count = cut
        }
        let offset = storage.withUnsafeBytes {
            Kernels.validate(UnsafeRawBufferPointer(rebasing: $0[..<count]), state: &utf8)
        }
        guard offset < 0, !endsMessage || utf8.isOnBoundary else {
            throw WebSocketError.invalidPayload(offset: offset < 0 ? count : offset)
        }
        return count
    }
}
