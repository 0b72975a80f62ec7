import WebSocketAccel
import WebSocketProtocol

/// How the contents of a file become messages.
public enum FileFraming: Sendable, Hashable {
    /// One message, in fragments of so many bytes.
    case oneMessage(fragmentBytes: Int = 256 << 10)
    /// Messages of so many bytes, the last one shorter; text is cut between characters.
    case messages(bytes: Int)
}

extension WebSocket {
    /// Sends a file, without holding more than a piece of it in memory.
    ///
    /// Blocks until the operating system has taken it all, each wait at most ``Timeouts/send``.
    /// Other threads' messages wait as long; pings and pongs pass in between. Nothing is compressed.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - opcode: Text or binary. Text is checked to be UTF-8 before it is sent.
    ///   - framing: One message or many.
    ///   - progress: Called after each piece with the bytes sent and the size of the file.
    /// - Returns: How many bytes were sent.
    /// - Throws: ``WebSocketError``: `system` if the file can't be read, `invalidPayload` for text
    ///   that isn't UTF-8, `timedOut`, `connectionClosed`, `aborted`; of many messages, these in
    ///   ``WebSocketError/batchInterrupted(sent:cause:)``. An error inside a message in fragments ends
    ///   the connection, as nothing else could follow the fragments.
    @discardableResult
    public func send(
        contentsOf path: String,
        as opcode: Opcode = .binary,
        framing: FileFraming = .oneMessage(),
        progress: ((_ sent: Int, _ total: Int) -> Void)? = nil
    ) throws -> Int {
        var pieces = try FilePieces(path: path, opcode: opcode, framing: framing)
        // Of many messages, the caller has to hear how many went out.
        if case .messages = framing {
            return try withBatch { batch in
                try send(&pieces, in: &batch, progress)
            }
        }
        return try withSingleBatch { batch in
            try send(&pieces, in: &batch, progress)
        }
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

    /// Sends one message in fragments, as they become known.
    ///
    /// Otherwise as ``send(contentsOf:as:framing:progress:)``.
    ///
    /// - Parameters:
    ///   - fragments: The parts of the message, in order.
    ///   - opcode: Text or binary; text isn't checked.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    public func send(
        fragments: some Sequence<[UInt8]>,
        as opcode: Opcode = .binary
    ) throws {
        try withSingleBatch { batch in
            var opcode = opcode
            var iterator = fragments.makeIterator()
            var next = iterator.next() ?? []
            while true {
                let following = iterator.next()
                do {
                    try next.withUnsafeBytes { bytes in
                        try batch.append(
                            OutgoingFrame(
                                opcode: opcode,
                                payload: bytes,
                                isFinal: following == nil,
                                compression: .never
                            )
                        )
                    }
                } catch {
                    let isFirst = opcode != .continuation
                    throw abortIfCut(by: error, isFirst: isFirst, isFinal: following == nil)
                }
                guard let following else { return }
                next = following
                opcode = .continuation
            }
        }
    }

    /// A batch that is one thing to the caller, who hears of its errors as such.
    private func withSingleBatch<Result>(
        _ body: (inout Batch) throws -> Result
    ) throws -> Result {
        do {
            return try withBatch(body)
        } catch WebSocketError.batchInterrupted(_, let cause) {
            throw cause
        }
    }
}

extension WebSocket {
    /// Ends the connection after an error at a fragment, if the message has begun and won't end:
    /// nothing else could follow it. Returns what the caller is to hear.
    private func abortIfCut(
        by error: any Error,
        isFirst: Bool,
        isFinal: Bool
    ) -> any Error {
        // What a time-out has left goes out, so it counts as sent.
        let isAccepted =
            if case WebSocketError.timedOut(.sending(isAccepted: true)) = error { true } else {
                false
            }
        let hasBegun = !isFirst || isAccepted
        let isComplete = isFinal && isAccepted
        guard hasBegun, !isComplete else { return error }
        abort()
        // What was left won't go out any more.
        return isAccepted ? WebSocketError.timedOut(.sending(isAccepted: false)) : error
    }
}

/// Reads a file a frame at a time.
private struct FilePieces: ~Copyable {
    private let reader: FileReader
    private let opcode: Opcode
    private let isOneMessage: Bool
    private var storage: [UInt8]
    /// Bytes at the front of the storage that were read but not sent: a cut character, and the byte
    /// that tells whether the file goes on.
    private var kept = 0
    private var utf8 = UTF8State()
    private(set) var isInsideMessage = false
    private(set) var isAtEnd = false
    private(set) var lastCount = 0

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
                "A file goes as text or binary, in pieces of at least 4 bytes."
            )
        }
        do throws(TransportError) {
            reader = try FileReader(path: path)
        } catch {
            throw WebSocketError(error, during: .sending(isAccepted: false))
        }
        self.opcode = opcode
        storage = [UInt8](repeating: 0, count: bytes + 1)
    }

    mutating func sendNext(to batch: inout Batch) throws {
        let filled = try fill()
        isAtEnd = filled < storage.count
        var count = min(filled, storage.count - 1)
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

    private mutating func fill() throws -> Int {
        let result = storage.withUnsafeMutableBytes { bytes in
            Result { () throws(TransportError) in
                try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[kept...]))
            }
        }
        switch result {
        case .success(let count): return kept + count
        case .failure(let error):
            throw WebSocketError(error, during: .sending(isAccepted: false))
        }
    }

    /// How many of the bytes to send: of separate text messages, not the beginning of a character.
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
