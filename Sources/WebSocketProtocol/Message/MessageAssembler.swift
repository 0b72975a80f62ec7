import WebSocketAccel

/// Joins the pieces of a message, inflates it, and checks text as it arrives (RFC 6455 §5.4, §8.1).
package struct MessageAssembler: ~Copyable, Sendable {
    private let validatesUTF8: Bool
    /// The message limit. Storage never exceeds it by more than the one byte that shows a breach.
    private let maximumBytes: Int

    private var storage: [UInt8] = []
    /// Borrowed storage for text: a String is a copy, so the storage can be reused.
    private var spare: [UInt8] = []
    private var opcode = Opcode.binary
    private var isCompressed = false
    private var utf8 = UTF8State()
    private var inflater: Inflater?
    /// How many bytes of the message have been delivered, as fragments or parts, and removed from the
    /// storage: the offset of the storage's first byte.
    private var delivered = 0
    /// Where the next part begins in the storage, while a joined message is handed out in parts.
    private var nextPart: Int?
    /// How many bytes have been inflated, in all messages.
    package private(set) var inflatedBytes = 0

    /// How much storage is kept for the next message; more is freed.
    private static let keptCapacity = 4 << 10
    /// The largest storage that is given back to the lender.
    private static let maximumSpareCapacity = 2 << 20
    /// The most that is allocated for a frame before any of its payload has arrived.
    private static let trustedCapacity = 1 << 20
    /// The most bytes inflated at once, so that they are still in cache when they are checked.
    private static let inflationStride = 64 << 10

    package init(
        validatesUTF8: Bool,
        maximumBytes: Int = .max,
        inflater: consuming Inflater?
    ) {
        self.validatesUTF8 = validatesUTF8
        self.maximumBytes = min(max(0, maximumBytes), .max - 1)
        self.inflater = inflater
    }

    /// The opcode of the message in progress or just completed.
    package var messageOpcode: Opcode { opcode }

    /// How many bytes have been joined so far.
    package var count: Int { storage.count }

    /// Whether payload may be read straight into the storage, because it is stored unchanged.
    package var takesPayloadDirectly: Bool { !isCompressed }

    /// Adds a piece of a data frame, of which `expected` bytes are still to come; true when it
    /// completes the message.
    package mutating func append(
        _ piece: FramePiece,
        expecting expected: Int = 0
    ) throws(ProtocolViolation) -> Bool {
        begin(piece)
        if isCompressed {
            try inflate(piece)
        } else {
            let start = storage.count
            if expected > 0 { reserve(piece.bytes.count, of: piece.bytes.count + expected) }
            storage.append(contentsOf: piece.bytes)
            try check(newBytesFrom: start)
        }
        return try finish(piece)
    }

    /// Reads payload with `read` straight into the storage: up to `limit` bytes of the `expected`.
    package mutating func appendDirectly<Failure: Error>(
        upTo limit: Int,
        expecting expected: Int,
        read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(min(limit, expected), of: expected)
        let room = min(limit, expected, storage.capacity - storage.count)
        var count = 0
        try storage.append(addingCapacity: room) { (output) throws(Failure) in
            try output.withUnsafeMutableBufferPointer { (buffer, initialized) throws(Failure) in
                let free = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...].prefix(room)
                )
                count = try read(free)
                initialized += count
            }
        }
        return count
    }

    /// Makes room for `needed` bytes, and for some more of the announced ones in advance.
    private mutating func reserve(_ needed: Int, of announced: Int) {
        guard storage.capacity - storage.count < needed else { return }
        let growth = max(Self.trustedCapacity, storage.count, needed)
        let exact = storage.count + min(announced, growth)
        // Double it each time, or many fragments would cause as many copies.
        storage.reserveCapacity(
            storage.isEmpty ? exact : max(exact, grown(to: 2 * storage.capacity))
        )
    }

    /// A capacity that storage may grow to: beyond half the limit, the limit at once.
    ///
    /// While storage is being copied, both copies exist; copying more than half the limit would take
    /// more memory than the limit.
    private func grown(to capacity: Int) -> Int {
        capacity > maximumBytes / 2 ? maximumBytes + 1 : capacity
    }

    /// Completes ``appendDirectly(upTo:expecting:read:)``: counts and checks the `count` bytes that it
    /// stored.
    package mutating func received(
        directly count: Int,
        with decoder: inout FrameDecoder
    ) throws(ProtocolViolation) -> Bool {
        let start = storage.count - count
        let piece = storage.withUnsafeMutableBytes {
            decoder.received(directly: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
        }
        guard let piece else { return false }
        try check(newBytesFrom: start)
        return try finish(piece)
    }

    /// Checks text that arrived in one piece, in place.
    func check(wholeText bytes: UnsafeRawBufferPointer) throws(ProtocolViolation) {
        guard validatesUTF8 else { return }
        var state = UTF8State()
        let offset = Kernels.validate(bytes, state: &state)
        guard offset < 0, state.isOnBoundary else {
            throw ProtocolViolation(.invalidUTF8(offset: offset < 0 ? bytes.count : offset))
        }
    }

    /// The joined message as bytes; the storage itself, not a copy.
    package mutating func takeBytes() -> [UInt8] {
        defer { storage = [] }
        return storage
    }

    /// The joined message as text.
    package mutating func takeText() -> String {
        defer { reset() }
        return storage.withUnsafeBytes { makeText($0) }
    }

    /// Takes back the storage that ``takeBytes()`` returned, so that the next message can use it.
    package mutating func recycle(_ bytes: inout [UInt8]) {
        swap(&storage, &bytes)
        reset()
    }

    /// The bytes joined since the last fragment was taken.
    ///
    /// Text is taken in whole characters: the bytes of an incomplete one at the end stay for the next
    /// fragment, so a fragment may be empty.
    mutating func takeFragment(isLast: Bool) -> [UInt8] {
        var fragment: [UInt8] = []
        swap(&fragment, &storage)
        if opcode == .text, !isLast {
            let cut = fragment.cutCharacterLength
            storage.append(contentsOf: fragment.suffix(cut))
            fragment.removeLast(cut)
        }
        delivered += fragment.count
        return fragment
    }

    /// Whether a piece belongs to a compressed message.
    func inflates(_ piece: FramePiece) -> Bool {
        if piece.startsFrame, piece.opcode != .continuation {
            return piece.reservedBits & 4 != 0 && inflater != nil
        }
        return isCompressed
    }

    /// Checks a piece that is handed out without being joined.
    mutating func check(part piece: FramePiece) throws(ProtocolViolation) -> DecodedPart {
        begin(piece)
        if opcode == .text, validatesUTF8 {
            let offset = Kernels.validate(UnsafeRawBufferPointer(piece.bytes), state: &utf8)
            if offset >= 0 { throw ProtocolViolation(.invalidUTF8(offset: delivered + offset)) }
        }
        delivered += piece.bytes.count
        let isLast = piece.endsFrame && piece.isFinal
        if isLast, opcode == .text, validatesUTF8, !utf8.isOnBoundary {
            throw ProtocolViolation(.invalidUTF8(offset: delivered))
        }
        guard isLast || !piece.bytes.isEmpty else { return .needsMoreBytes }
        return .part(opcode, count: piece.bytes.count, isLast: isLast)
    }

    /// Whether a joined message has been handed out in part.
    package var hasRemainder: Bool { nextPart != nil }

    /// Hands out the next part of a joined message.
    mutating func handOut(into room: UnsafeMutableRawBufferPointer) -> DecodedPart {
        let start = nextPart ?? 0
        let count = min(room.count, storage.count - start)
        storage.withUnsafeBytes { bytes in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
        }
        nextPart = start + count
        let isLast = start + count == storage.count
        if isLast { reset() }
        return .part(opcode, count: count, isLast: isLast)
    }

    /// Makes text from bytes that have been checked, without a second check.
    package func makeText(_ bytes: UnsafeRawBufferPointer) -> String {
        guard validatesUTF8 else { return String(decoding: bytes, as: UTF8.self) }
        let checked = bytes.assumingMemoryBound(to: UInt8.self)
        return String(copying: unsafe UTF8Span(unchecked: Span(_unsafeElements: checked)))
    }

    private mutating func begin(_ piece: FramePiece) {
        guard piece.startsFrame, piece.opcode != .continuation else { return }
        reset()
        opcode = piece.opcode
        if opcode == .text, spare.capacity > storage.capacity { swap(&storage, &spare) }
        isCompressed = piece.reservedBits & 4 != 0 && inflater != nil
        utf8 = UTF8State()
    }

    private mutating func check(newBytesFrom start: Int) throws(ProtocolViolation) {
        guard opcode == .text, validatesUTF8 else { return }
        let offset = storage.withUnsafeBytes {
            Kernels.validate(UnsafeRawBufferPointer(rebasing: $0[start...]), state: &utf8)
        }
        if offset >= 0 {
            throw ProtocolViolation(.invalidUTF8(offset: delivered + start + offset))
        }
    }

    private func finish(_ piece: FramePiece) throws(ProtocolViolation) -> Bool {
        guard piece.endsFrame, piece.isFinal else { return false }
        if opcode == .text, validatesUTF8, !utf8.isOnBoundary {
            throw ProtocolViolation(.invalidUTF8(offset: delivered + storage.count))
        }
        return true
    }

    /// Inflates a piece stride by stride, so that limits and text are checked as output is produced.
    private mutating func inflate(_ piece: FramePiece) throws(ProtocolViolation) {
        let endsMessage = piece.endsFrame && piece.isFinal
        var input = UnsafeRawBufferPointer(piece.bytes)
        var progress = DeflateProgress()
        repeat {
            let start = storage.count
            if storage.capacity == start {
                let doubled = max(2 * start, min(4 * input.count, 1 << 20), 256)
                storage.reserveCapacity(max(start + 1, grown(to: doubled)))
            }
            let room = min(storage.capacity - start, Self.inflationStride)
            do throws(DeflateFailure) {
                progress = try inflateStride(input, endsMessage: endsMessage, room: room)
            } catch {
                throw ProtocolViolation(inflating: error)
            }
            input = UnsafeRawBufferPointer(rebasing: input.dropFirst(progress.consumed))
            inflatedBytes &+= progress.produced
            try check(newBytesFrom: start)
        } while !progress.isComplete
    }

    private mutating func inflateStride(
        _ input: UnsafeRawBufferPointer,
        endsMessage: Bool,
        room: Int
    ) throws(DeflateFailure) -> DeflateProgress {
        // The array is moved out of the property while its storage is written to, as the closure needs
        // `self`.
        var bytes: [UInt8] = []
        swap(&bytes, &storage)
        defer { swap(&bytes, &storage) }
        var progress = DeflateProgress()
        try bytes.append(addingCapacity: room) { (output) throws(DeflateFailure) in
            try output.withUnsafeMutableBufferPointer { (buffer, count) throws(DeflateFailure) in
                let free = UnsafeMutableRawBufferPointer(buffer)[count...].prefix(room)
                progress =
                    try inflater?.inflate(
                        input,
                        endsMessage: endsMessage,
                        into: UnsafeMutableRawBufferPointer(rebasing: free)
                    ) ?? progress
                count += progress.produced
            }
        }
        return progress
    }

    private mutating func reset() {
        delivered = 0
        nextPart = nil
        if storage.capacity <= Self.keptCapacity {
            storage.removeAll(keepingCapacity: true)
            return
        }
        if opcode == .text, storage.capacity <= Self.maximumSpareCapacity {
            storage.removeAll(keepingCapacity: true)
            swap(&storage, &spare)
        }
        storage = []
    }

    // MARK: Lending

    /// Whether there is storage to give back.
    package var hasSpare: Bool { spare.capacity > 0 }

    /// Borrows storage.
    package mutating func borrowSpare(from lender: inout [UInt8]) { swap(&spare, &lender) }

    /// Gives the storage back, or a larger one made meanwhile.
    package mutating func returnSpare(to lender: inout [UInt8]) {
        if spare.capacity > lender.capacity { swap(&spare, &lender) }
        spare = []
    }
}

extension [UInt8] {
    /// How many bytes at the end belong to an incomplete UTF-8 character.
    fileprivate var cutCharacterLength: Int {
        for length in 1..<4 where length <= count {
            let byte = self[count - length]
            guard byte & 0xC0 != 0x80 else { continue }
            let whole = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            return length < whole ? length : 0
        }
        return 0
    }
}
