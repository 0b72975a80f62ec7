import WebSocketAccel
import WebSocketProtocol

/// Turns frames into masked, perhaps compressed, bytes in a borrowed buffer. It can't wait: it stops
/// when the buffer is full, and goes on when the buffer has been written.
///
/// Fast because a payload is read once, and masked (and checked) on its way into a buffer that stays
/// in the second-level cache until the kernel has taken it.
struct FrameEncoder: ~Copyable {
    let masks: Bool
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    /// Messages of fewer bytes are sent uncompressed; all of them if nothing was negotiated.
    let compressionThreshold: Int
    /// `nil` if nothing is compressed, and while another encoder has it.
    var deflater: Deflater?

    private var buffer: IOBuffer?
    /// The buffer's memory.
    private var base: UnsafeMutableRawPointer?
    /// Where the bytes in the buffer begin and end.
    private var start = 0
    private var end = 0
    /// Whether the buffer begins at the start of a frame.
    private(set) var isAligned = true
    /// Whether a stream that encrypts has seen the bytes, and can't take others before them.
    private var isEncrypted = false
    /// Counts the encoded frames since it was last emptied.
    var tally = FrameTally()
    /// How many of a batch's messages have been left to the outbox, as time ran out.
    var leftMessages = 0

    /// How much is compressed at once where control frames wait for it.
    private static let maximumInput = 1 << 20
    /// With less room in the buffer than this, a compressed message begins in the next one.
    private static let minimumCompressionRoom = 4 << 10

    init(
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        compressionThreshold: Int,
        deflater: consuming Deflater?
    ) {
        masks = role == .client
        self.makeMaskingKey = makeMaskingKey
        self.compressionThreshold = compressionThreshold
        self.deflater = deflater
    }

    /// How many bytes have been encoded and not written.
    var count: Int { end - start }

    /// Whether nothing of what has been encoded has been written, or encrypted, so that other frames may go before
    /// it.
    var isUntouched: Bool { start == 0 && isAligned && !isEncrypted }

    /// Gives the buffer back if nothing is in it.
    mutating func giveBackIfEmpty() {
        guard start == end, let buffer = buffer.take() else { return }
        IOBuffer.giveBack(buffer)
        base = nil
        discard()
    }

    /// Drops what has been encoded.
    mutating func discard() {
        start = 0
        end = 0
        isAligned = true
        isEncrypted = false
    }

    /// Takes what another encoder has encoded, in exchange for its own empty buffer.
    mutating func adopt(_ other: inout FrameEncoder) {
        swap(&buffer, &other.buffer)
        swap(&base, &other.base)
        swap(&start, &other.start)
        swap(&end, &other.end)
        swap(&isAligned, &other.isAligned)
        swap(&isEncrypted, &other.isEncrypted)
    }

    /// Writes the buffer once.
    mutating func write(to stream: any ByteStream) throws(TransportError) -> SendStep {
        guard let base, start < end else { return .done }
        switch try stream.write(UnsafeRawBufferPointer(start: base + start, count: end - start)) {
        case .bytes(let count): start += count
        case .wouldBlock(let interest):
            isEncrypted = stream.isSecure
            return .wait(interest)
        case .endOfStream: throw .aborted
        }
        guard start == end else { return .goOn }
        discard()
        return .done
    }

    func withUnwrittenBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard let base, start < end else { return }
        body(UnsafeRawBufferPointer(start: base + start, count: end - start))
    }

    /// How many messages end in the part of the buffer that hasn't been written.
    func countUnwrittenMessages() -> Int {
        guard let base, start < end else { return 0 }
        // The buffer ends within one frame, and no other follows.
        guard isAligned else { return 1 }
        return countMessages(UnsafeRawBufferPointer(start: base, count: end), endingAfter: start)
    }

    /// How many messages end after a position, in bytes that begin with a frame.
    func countMessages(_ bytes: UnsafeRawBufferPointer, endingAfter start: Int = 0) -> Int {
        var position = 0
        var count = 0
        while let frame = FrameHeader.measure(bytes, at: position, isMasked: masks) {
            position += frame.length
            if frame.endsMessage, position > start { count += 1 }
        }
        return count
    }

    // MARK: Encoding

    /// Encodes a frame if it is certain to fit behind what is there.
    @inline(__always)
    mutating func encodeWhole(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        let count = frame.payload.count
        guard count <= IOBuffer.size - FrameHeader.maximumLength - end else { return false }
        if owesOnlyMask(frame) {
            try encodePlain(frame)
            return true
        }
        if frame.needsCompression(from: compressionThreshold) {
            let bound = Deflater.maximumCompressedBytes(count) + FrameHeader.maximumLength
            guard bound <= IOBuffer.size - end - Self.minimumCompressionRoom else { return false }
        }
        var cursor = FrameCursor(frame)
        return try encode(&cursor)
    }

    /// Whether a frame only has to be masked, and doesn't affect the compression of others.
    @inline(__always)
    private func owesOnlyMask(_ frame: OutgoingFrame) -> Bool {
        compressionThreshold == .max && !frame.needsUTF8Check && !frame.isCompressed
    }

    /// Encodes a frame as most are: masked behind others, in a buffer that has room for it.
    @inline(__always)
    private mutating func encodePlain(_ frame: OutgoingFrame) throws(SendFailure) {
        let base = borrow()
        let key = try appendHeader(of: frame, at: base)
        Kernels.copyMasked(from: frame.payload, to: base + end, key: key)
        end += frame.payload.count
    }

    /// Encodes as much of a frame as the buffer has room for; true when all of it has been encoded.
    ///
    /// If it throws before the frame has begun, nothing has changed.
    mutating func encode(_ cursor: inout FrameCursor) throws(SendFailure) -> Bool {
        if cursor.hasBegun, cursor.isPlain { return encodePayload(&cursor) }
        if !cursor.isPlain || cursor.frame.needsCompression(from: compressionThreshold) {
            return try encodeCompressed(&cursor)
        }
        if cursor.frame.isCompressed { deflater?.resetContext() }
        let base = borrow()
        let count = cursor.frame.payload.count
        let room = IOBuffer.size - FrameHeader.maximumLength - end
        if !cursor.frame.needsUTF8Check {
            guard room >= 0 else { return false }
            guard count > room else {
                try encodePlain(cursor.frame)
                return true
            }
            cursor.key = try appendHeader(of: cursor.frame, at: base)
            cursor.hasBegun = true
            return encodePayload(&cursor)
        }
        if count > IOBuffer.size - FrameHeader.maximumLength {
            // It will be sent piece by piece, and a part can't be taken back: check all of it first.
            try cursor.check()
            return try encode(&cursor)
        }
        guard count <= room else { return false }
        let frameStart = end
        var key = try appendHeader(of: cursor.frame, at: base)
        var utf8 = UTF8State()
        let offset = Kernels.copyMaskedValidating(
            from: cursor.frame.payload,
            to: base + end,
            key: &key,
            state: &utf8
        )
        guard offset < 0, utf8.isOnBoundary else {
            tally.uncount(
                isFinal: cursor.frame.isFinal,
                payload: count,
                wire: end - frameStart + count
            )
            end = frameStart
            throw .invalidUTF8(offset: offset < 0 ? count : offset)
        }
        end += count
        return true
    }

    private mutating func encodePayload(_ cursor: inout FrameCursor) -> Bool {
        let base = borrow()
        if end == 0 { isAligned = false }
        let piece = UnsafeRawBufferPointer(rebasing: cursor.rest.prefix(IOBuffer.size - end))
        cursor.key = Kernels.copyMasked(from: piece, to: base + end, key: cursor.key)
        end += piece.count
        cursor.rest = UnsafeRawBufferPointer(rebasing: cursor.rest.dropFirst(piece.count))
        return cursor.rest.isEmpty
    }

    /// Encodes what is left of a frame that has begun behind `bytes`.
    mutating func encodeRest(
        _ cursor: inout FrameCursor,
        into bytes: inout [UInt8]
    ) throws(SendFailure) {
        guard cursor.isPlain else { return try encodeCompressedRest(&cursor, into: &bytes) }
        let rest = cursor.rest
        let key = cursor.key
        bytes.append(addingCapacity: rest.count) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                guard let base = buffer.baseAddress else { return }
                let target = UnsafeMutableRawPointer(base + count)
                Kernels.copyMasked(from: rest, to: target, key: key)
                count += rest.count
            }
        }
        cursor.rest = UnsafeRawBufferPointer(rebasing: rest[rest.endIndex...])
    }

    /// Puts a frame's header into the buffer, which has room for it, and returns the masking key.
    @inline(__always)
    private mutating func appendHeader(
        of frame: OutgoingFrame,
        at base: UnsafeMutableRawPointer
    ) throws(SendFailure) -> UInt32 {
        let key = masks ? try nextKey() : 0
        let header = FrameHeader(
            isFinal: frame.isFinal,
            reservedBits: frame.reservedBits,
            opcode: frame.opcode,
            maskingKey: masks ? key : nil,
            payloadLength: frame.payload.count
        )
        let length = header.encode(into: base + end)
        end += length
        tally.count(frame, header: length)
        return key
    }

    /// Encodes a header and the first `count` bytes of a payload; nil if the buffer has no room for
    /// them. Returns the key for what follows.
    mutating func encodeHead(
        of frame: OutgoingFrame,
        _ count: Int
    ) throws(SendFailure) -> UInt32? {
        let base = borrow()
        guard IOBuffer.size - end >= FrameHeader.maximumLength + count else { return nil }
        let key = try appendHeader(of: frame, at: base)
        let head = UnsafeRawBufferPointer(rebasing: frame.payload.prefix(count))
        let next = Kernels.copyMasked(from: head, to: base + end, key: key)
        end += head.count
        return next
    }

    /// The memory to mask into.
    private mutating func borrow() -> UnsafeMutableRawPointer {
        if let base { return base }
        let buffer = IOBuffer.borrow()
        let base = buffer.base
        self.base = base
        self.buffer = consume buffer
        return base
    }

    /// A masking key from the borrowed buffer.
    private mutating func nextKey() throws(SendFailure) -> UInt32 {
        switch buffer {
        case .some(let buffer):
            return try Self.nextKey(from: &buffer.keys, unlessBy: makeMaskingKey)
        case .none: throw .transport(.aborted, isAccepted: false)
        }
    }

    static func nextKey(
        from keys: inout MaskingKeys,
        unlessBy makeMaskingKey: (@Sendable () -> UInt32)?
    ) throws(SendFailure) -> UInt32 {
        if let makeMaskingKey { return makeMaskingKey() }
        do throws(TransportError) {
            return try keys.next()
        } catch {
            throw .transport(error, isAccepted: false)
        }
    }
}

// Compression on the way out, RFC 7692 §7.2.1.
extension FrameEncoder {
    /// Compresses a message straight into the buffer; each full buffer is sent as a fragment.
    private mutating func encodeCompressed(
        _ cursor: inout FrameCursor
    ) throws(SendFailure) -> Bool {
        try cursor.check()
        let base = borrow()
        guard IOBuffer.size - end >= Self.minimumCompressionRoom else { return false }
        let room = UnsafeMutableRawBufferPointer(start: base + end, count: IOBuffer.size - end)
        let key = masks ? try nextKey() : nil
        let (written, isComplete) = try compress(&cursor, key: key, into: room)
        end += written
        return isComplete
    }

    /// Makes one frame of as much as fits: the header's length is guessed, and the payload moved down
    /// if the header turns out shorter.
    private mutating func compress(
        _ cursor: inout FrameCursor,
        key: UInt32?,
        into room: UnsafeMutableRawBufferPointer
    ) throws(SendFailure) -> (written: Int, isComplete: Bool) {
        guard let base = room.baseAddress else { throw .compression }
        let guess = FrameHeader.maximumLength
        let output = UnsafeMutableRawBufferPointer(rebasing: room[guess...].prefix(cursor.limit))
        let count = cursor.limit == .max ? cursor.rest.count : Self.maximumInput
        let input = UnsafeRawBufferPointer(rebasing: cursor.rest.prefix(count))
        let isLast = input.count == cursor.rest.count
        let result: DeflateProgress?
        do throws(DeflateFailure) {
            result = try deflater?.compress(input, ending: isLast ? .message : .none, into: output)
        } catch {
            throw .compression
        }
        guard var progress = result else { throw .compression }
        progress.isComplete = progress.isComplete && isLast
        let header = FrameHeader(
            isFinal: progress.isComplete,
            reservedBits: cursor.hasBegun ? 0 : 4,
            opcode: cursor.hasBegun ? .continuation : cursor.frame.opcode,
            maskingKey: key,
            payloadLength: progress.produced
        )
        cursor.hasBegun = true
        cursor.isPlain = false
        cursor.rest = UnsafeRawBufferPointer(rebasing: cursor.rest.dropFirst(progress.consumed))
        let length = header.encode(into: base)
        if length < guess {
            (base + length).copyMemory(from: base + guess, byteCount: progress.produced)
        }
        if let key {
            let payload = UnsafeMutableRawBufferPointer(
                start: base + length,
                count: progress.produced
            )
            Kernels.mask(payload, key: key)
        }
        tally.count(
            header.opcode,
            isFinal: progress.isComplete,
            payload: progress.produced,
            wire: length + progress.produced
        )
        tally.expand(progress.produced, to: progress.consumed)
        return (length + progress.produced, progress.isComplete)
    }

    /// Compresses what is left of a message that has begun, and leaves it to others to frame it.
    mutating func compressRest(_ cursor: inout FrameCursor) throws(SendFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        let count: Int?
        do throws(DeflateFailure) {
            count = try deflater?.compress(message: cursor.rest, into: &bytes)
        } catch {
            throw .compression
        }
        guard let count else { throw .compression }
        tally.expand(count, to: cursor.rest.count)
        cursor.rest = UnsafeRawBufferPointer(rebasing: cursor.rest[cursor.rest.endIndex...])
        bytes.removeSubrange(count...)
        return bytes
    }

    /// Keeps the rest of a compressed message whose first part is on its way.
    private mutating func encodeCompressedRest(
        _ cursor: inout FrameCursor,
        into bytes: inout [UInt8]
    ) throws(SendFailure) {
        // Dropped, not given back, if an error is thrown; only a shortage of memory causes one.
        let buffer = IOBuffer.borrow()
        var isComplete = false
        while !isComplete {
            let key =
                masks ? try Self.nextKey(from: &buffer.keys, unlessBy: makeMaskingKey) : nil
            let result = try compress(&cursor, key: key, into: buffer.bytes)
            bytes.append(contentsOf: buffer.bytes.prefix(result.written))
            isComplete = result.isComplete
        }
        IOBuffer.giveBack(buffer)
    }
}

extension FrameTally {
    /// Counts a frame; `length` is that of its header.
    ///
    /// Most frames are whole, uncompressed messages: three additions, inlined into the encoder.
    @inline(__always)
    mutating func count(_ frame: OutgoingFrame, header length: Int) {
        let payload = frame.payload.count
        guard frame.isFinal, frame.reservedBits == 0, !frame.opcode.isControl else {
            return countOther(frame, header: length)
        }
        messages &+= 1
        payloadBytes &+= payload
        wireBytes &+= length &+ payload
    }

    @inline(never)
    private mutating func countOther(_ frame: OutgoingFrame, header length: Int) {
        let payload = frame.payload.count
        count(frame.opcode, isFinal: frame.isFinal, payload: payload, wire: length + payload)
        if frame.isCompressed, frame.uncompressedCount > 0 {
            expand(payload, to: frame.uncompressedCount)
        }
    }
}

extension FrameHeader {
    /// The length of the frame that begins at `position`, header included, and whether it ends a
    /// message; nil if no whole frame is there. For frames that this end has made.
    static func measure(
        _ bytes: UnsafeRawBufferPointer,
        at position: Int,
        isMasked: Bool
    ) -> (length: Int, endsMessage: Bool)? {
        guard position < bytes.count else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        // The role of the receiving end.
        guard let decoded = try? decode(rest, role: isMasked ? .server : .client) else {
            return nil
        }
        let length = decoded.length + decoded.header.payloadLength
        guard length <= rest.count else { return nil }
        let header = decoded.header
        return (length, header.isFinal && !header.opcode.isControl)
    }
}
