import Synchronization
import WebSocketAccel
import WebSocketProtocol

/// What is on its way out of a connection: frames in, masked bytes to the stream. In turn only.
///
/// What doesn't fit the block follows it in `spilled`: the rest of a frame that a time-out interrupted,
/// or a queue that was taken over.
struct Outbox: ~Copyable {
    private let outlet: Outlet
    let masks: Bool
    private let makeMaskingKey: (@Sendable () -> UInt32)?

    private var block: Block?
    /// The block's memory.
    private var base: UnsafeMutableRawPointer?
    /// Where the bytes in the block begin and end.
    private var start = 0
    var end = 0
    var spilled: [UInt8] = []
    private var spilledStart = 0
    var deflater: Deflater?
    private let compressionThreshold: Int
    /// Whether the close frame is behind all others here: nothing may follow it.
    var isClosed = false

    init(
        outlet: Outlet,
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        deflater: consuming Deflater?
    ) {
        self.outlet = outlet
        self.makeMaskingKey = makeMaskingKey
        masks = role == .client
        compressionThreshold = deflater?.threshold ?? .max
        self.deflater = deflater
    }

    /// How many bytes the stream hasn't taken yet.
    var heldCount: Int { end - start + spilled.count - spilledStart }

    /// Whether a queue may be taken over.
    var hasSpilled: Bool { !spilled.isEmpty }

    /// Lets `body` put the bytes of a queue into an empty array, behind what is here.
    mutating func takeOver(_ body: (inout [UInt8]) -> Void) { body(&spilled) }

    /// Gives the block back if nothing is in it.
    mutating func giveBackIfEmpty() {
        guard start == end, let block = block.take() else { return }
        Block.giveBack(block)
        base = nil
    }

    /// Masks a frame into the block, sending what doesn't fit.
    ///
    /// Fast because the payload is read once, masked (and checked) on its way into a block that
    /// stays in the second-level cache until the kernel has taken it.
    mutating func append(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if Tracing.isEnabled { Tracing.sent(frame) }
        if frame.needsCompression(from: compressionThreshold) {
            return try appendCompressed(frame, &deadline)
        }
        if frame.isCompressed { deflater?.resetContext() }
        let base = borrow()
        let count = frame.payload.count
        if !frame.needsUTF8Check, count <= Block.size - FrameHeader.maximumLength - end {
            // Most frames go behind others.
            let key = try appendHeader(of: frame, at: base)
            Kernels.copyMasked(from: frame.payload, to: base + end, key: key)
            end += count
            return
        }
        var rest = frame.payload
        var utf8 = UTF8State()
        var isChecked = !frame.needsUTF8Check
        if !isChecked, rest.count > Block.size - FrameHeader.maximumLength {
            // It will be sent piece by piece, and a part can't be taken back: check it ahead.
            try Self.check(rest)
            isChecked = true
        }
        let needed = isChecked ? 0 : rest.count
        if Block.size - end < FrameHeader.maximumLength + needed {
            try flush(&deadline, isAccepted: false)
        }
        let frameStart = end
        var key = try appendHeader(of: frame, at: base)
        guard isChecked else {
            let offset = Kernels.copyMaskedValidating(
                from: rest,
                to: base + end,
                key: &key,
                state: &utf8
            )
            guard offset < 0, utf8.isOnBoundary else {
                end = frameStart
                throw .invalidUTF8(offset: offset < 0 ? rest.count : offset)
            }
            end += rest.count
            return
        }
        while true {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Block.size - end))
            key = Kernels.copyMasked(from: piece, to: base + end, key: key)
            end += piece.count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
            if rest.isEmpty { return }
            do throws(SendFailure) {
                try flush(&deadline, isAccepted: true)
            } catch {
                spill(rest, key: key)
                throw error
            }
        }
    }

    /// Puts a frame's header into the block, which has room for it, and returns the masking key.
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
        end += header.encode(into: base + end)
        return key
    }

    // MARK: Messages whose memory has been handed over

    /// So much of a message leaves with its header: alone, that would be a segment of its own.
    static let headSize = 16 << 10

    /// Masks a binary message where it lies and sends it from there.
    ///
    /// Fast because nothing but the head is copied: a piece is masked, and still in the second-level
    /// cache when the kernel takes it. If somebody else holds the array, it is copied first.
    mutating func append(
        consuming bytes: consuming [UInt8],
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        var sent = 0
        let failure = bytes.withUnsafeMutableBytes { payload -> SendFailure? in
            do throws(SendFailure) {
                try sendInPlace(payload, from: &sent, &deadline)
                return nil
            } catch {
                return error
            }
        }
        guard let failure else { return }
        if case .transport(_, isAccepted: true) = failure {
            // All of it is masked, and before it nothing is left but what the block holds.
            spilled = bytes
            spilledStart = sent
        }
        throw failure
    }

    private mutating func sendInPlace(
        _ payload: UnsafeMutableRawBufferPointer,
        from sent: inout Int,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        let frame = OutgoingFrame(opcode: .binary, payload: UnsafeRawBufferPointer(payload))
        if Tracing.isEnabled { Tracing.sent(frame) }
        let base = borrow()
        if Block.size - end < FrameHeader.maximumLength + Self.headSize {
            try flush(&deadline, isAccepted: false)
        }
        var key = try appendHeader(of: frame, at: base)
        let head = UnsafeRawBufferPointer(rebasing: frame.payload.prefix(Self.headSize))
        key = Kernels.copyMasked(from: head, to: base + end, key: key)
        end += head.count
        sent = head.count
        var masked = sent
        do throws(SendFailure) {
            try flush(&deadline, isAccepted: true)
            while sent < payload.count {
                let limit = min(sent + Block.size, payload.count)
                key = Kernels.mask(
                    UnsafeMutableRawBufferPointer(rebasing: payload[masked..<limit]),
                    key: key
                )
                masked = limit
                try write(payload, from: &sent, to: limit, &deadline)
            }
        } catch {
            Kernels.mask(UnsafeMutableRawBufferPointer(rebasing: payload[masked...]), key: key)
            throw error
        }
    }

    private func write(
        _ bytes: UnsafeMutableRawBufferPointer,
        from position: inout Int,
        to limit: Int,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        do throws(TransportError) {
            try outlet.write(bytes, from: &position, to: limit, &deadline)
        } catch {
            throw .transport(error, isAccepted: true)
        }
    }

    /// The memory to mask into.
    mutating func borrow() -> UnsafeMutableRawPointer {
        if let base { return base }
        let block = Block.borrow()
        let base = block.base
        self.base = base
        self.block = consume block
        return base
    }

    static func check(_ text: UnsafeRawBufferPointer) throws(SendFailure) {
        var state = UTF8State()
        let offset = Kernels.validate(text, state: &state)
        guard offset < 0, state.isOnBoundary else {
            throw .invalidUTF8(offset: offset < 0 ? text.count : offset)
        }
    }

    /// A masking key from the borrowed block.
    mutating func nextKey() throws(SendFailure) -> UInt32 {
        switch block {
        case .some(let block): return try nextKey(from: &block.keys)
        case .none: throw .transport(.aborted, isAccepted: false)
        }
    }

    func nextKey(from keys: inout MaskingKeys) throws(SendFailure) -> UInt32 {
        try Self.nextKey(from: &keys, unlessBy: makeMaskingKey)
    }

    /// The same for a thread that hasn't the turn.
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

    /// Keeps the rest of a frame whose first part is on its way.
    private mutating func spill(_ rest: UnsafeRawBufferPointer, key: UInt32) {
        spilled.append(addingCapacity: rest.count) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                guard let base = buffer.baseAddress else { return }
                Kernels.copyMasked(
                    from: rest,
                    to: UnsafeMutableRawPointer(base + count),
                    key: key
                )
                count += rest.count
            }
        }
    }

    /// Writes the block and what was spilled, waiting as long as the deadline allows.
    mutating func flush(
        _ deadline: inout LazyDeadline,
        isAccepted: Bool
    ) throws(SendFailure) {
        do throws(TransportError) {
            if let base, start < end {
                let bytes = UnsafeMutableRawBufferPointer(start: base, count: Block.size)
                try outlet.write(bytes, from: &start, to: end, &deadline)
            }
            start = 0
            end = 0
            if spilledStart < spilled.count { try writeSpilled(&deadline) }
        } catch {
            throw .transport(error, isAccepted: isAccepted)
        }
    }

    private mutating func writeSpilled(_ deadline: inout LazyDeadline) throws(TransportError) {
        // The array leaves the variable while its pointer is out, so that nobody else touches it.
        var bytes: [UInt8] = []
        swap(&bytes, &spilled)
        var failure: TransportError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(TransportError) {
                try outlet.write(buffer, from: &spilledStart, to: buffer.count, &deadline)
            } catch {
                failure = error
            }
        }
        if let failure {
            spilled = bytes
            throw failure
        }
        spilledStart = 0
        bytes.removeAll(keepingCapacity: bytes.capacity <= SendQueue.keptCapacity)
        swap(&bytes, &spilled)
    }
}

/// Where an outbox writes to.
struct Outlet {
    let stream: any ByteStream
    let progress: SendProgress

    /// Writes on from `position`, waiting as long as the deadline allows.
    func write(
        _ bytes: UnsafeMutableRawBufferPointer,
        from position: inout Int,
        to limit: Int,
        _ deadline: inout LazyDeadline
    ) throws(TransportError) {
        while position < limit {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position..<limit])
            switch try stream.write(rest) {
            case .bytes(let count):
                position += count
                progress.add(count)
            case .wouldBlock(let interest): try stream.wait(for: interest, until: deadline.value)
            case .endOfStream: throw .aborted
            }
        }
    }
}

/// How far sending has come, for those who don't have the turn.
final class SendProgress: Sendable {
    /// All bytes that the stream has taken, wrapping around.
    let sentBytes = Atomic<UInt64>(0)

    /// By who has the turn alone, so that it need not be one atomic step.
    func add(_ count: Int) {
        let sum = sentBytes.load(ordering: .relaxed) &+ UInt64(count)
        sentBytes.store(sum, ordering: .relaxed)
    }
}
