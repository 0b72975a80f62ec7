import Synchronization
import WebSocketAccel
import WebSocketProtocol

/// A frame to be sent, its payload still the caller's.
struct OutgoingFrame {
    var opcode: Opcode
    var payload: UnsafeRawBufferPointer
    var isFinal = true
    var reservedBits: UInt8 = 0
    /// The payload is text that nobody has checked yet: check it in the same pass that masks it.
    var needsUTF8Check = false
    /// Whether to compress it: always, never, or from the threshold on. Whole messages alone.
    var compression = Compression.automatic

    /// `done`: it has been compressed, without reference to other messages.
    enum Compression { case automatic, always, never, done }
}

/// Why a frame could not be sent.
enum SendFailure: Error {
    /// `isAccepted`: the frame, or what is left of it, goes out before the next one.
    case transport(TransportError, isAccepted: Bool)
    /// A close frame has been sent; nothing may follow it.
    case closing
    /// The text wasn't UTF-8; nothing of it has been sent.
    case invalidUTF8(offset: Int)
    /// There was no memory to compress with.
    case compression
}

/// The sending half of a connection: frames in, masked bytes out, in order and never a frame in part.
///
/// A sender takes the turn, masks its payload straight into a block, and writes. Who finds the turn
/// taken leaves a small frame in the queue, and whoever has the turn writes what has queued with one
/// call: one lock for a lone sender, one system call for many senders.
///
/// What a time-out interrupted stays here and goes out before anything else.
final class Sender: @unchecked Sendable {
    // Safe to send: `turn` guards what is `own`, the queue has its own lock, the rest is constant.
    private let stream: any ByteStream
    private let masks: Bool
    private let makeMaskingKey: (@Sendable () -> UInt32)?

    private let turn = TimedLock()
    private let own: OwnedState<State>

    private struct State: ~Copyable {
        var block: Block?
        /// The block's memory and keys: going through the object would count references.
        var base: UnsafeMutableRawPointer?
        var keys: UnsafeMutablePointer<MaskingKeys>?
        var start = 0
        var end = 0
        var spilled: [UInt8] = []
        var spilledStart = 0
        var isClosed = false
        var deflater: Deflater?
    }

    private var block: Block? {
        get { own.value.block }
        set {
            own.value.base = newValue?.base
            own.value.keys = newValue?.keys.pointer
            own.value.block = newValue
        }
    }
    /// Where the bytes in the block begin and end.
    private var start: Int {
        get { own.value.start }
        set { own.value.start = newValue }
    }
    private var end: Int {
        get { own.value.end }
        set { own.value.end = newValue }
    }
    /// Bytes that follow those in the block: the rest of a large frame, or a queue taken over.
    private var spilled: [UInt8] {
        _read { yield own.value.spilled }
        _modify { yield &own.value.spilled }
    }
    private var spilledStart: Int {
        get { own.value.spilledStart }
        set { own.value.spilledStart = newValue }
    }
    private var isClosed: Bool {
        get { own.value.isClosed }
        set { own.value.isClosed = newValue }
    }
    private var deflater: Deflater? {
        _read { yield own.value.deflater }
        _modify { yield &own.value.deflater }
    }
    /// Messages of fewer bytes go as they are; all of them if nothing was negotiated.
    private let compressionThreshold: Int

    private let queue = Mutex(SendQueue())
    /// Bytes in the queue and bytes held back here, for those who don't have the turn.
    private let queuedBytes = Atomic<Int>(0)
    private let heldBytes = Atomic<Int>(0)
    /// All bytes that the stream has taken, wrapping around.
    let sentBytes = Atomic<UInt64>(0)

    /// The largest payload that may be left in the queue; more waits for its turn.
    private static let maximumQueuedPayload = 64 << 10
    /// With less room in the block than this, a compressed message begins in the next one.
    private static let minimumCompressionRoom = 4 << 10

    init(
        stream: any ByteStream,
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        deflater: consuming Deflater?
    ) {
        self.stream = stream
        masks = role == .client
        self.makeMaskingKey = makeMaskingKey
        compressionThreshold = deflater?.threshold ?? .max
        own = OwnedState(State(deflater: deflater))
    }

    /// Whether bytes wait that the stream didn't take at once.
    var hasUnsentBytes: Bool {
        heldBytes.load(ordering: .relaxed) + queuedBytes.load(ordering: .relaxed) > 0
    }

    /// Whether bytes wait for room in the stream and nobody is about to write them.
    var needsWriting: Bool {
        heldBytes.load(ordering: .relaxed) > 0 && !turn.isLocked
    }

    // MARK: What others call

    /// Sends one frame; returns when the stream has taken it, or another sender will write it.
    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(SendFailure) {
        var deadline = LazyDeadline(timeout)
        if turn.tryLock() {
            try sendInTurn(frame, &deadline)
        } else if mayQueue(frame), try enqueue(frame) {
            if turn.tryLock() { leave(&deadline) }
        } else {
            try takeTurn(&deadline)
            try sendInTurn(frame, &deadline)
        }
    }

    /// Sends a control frame from the receiving thread, which never waits for the peer to read.
    func sendWithoutWaiting(_ frame: OutgoingFrame) throws(SendFailure) {
        if try enqueue(frame) { flushWithoutWaiting() }
    }

    /// Writes what waits, as far as that goes at once.
    func flushWithoutWaiting() {
        var deadline = LazyDeadline(.zero)
        if turn.tryLock() { leave(&deadline) }
    }

    /// Sends the last frame: nothing can be sent after it. False if there has been one.
    func sendClose(
        _ payload: ClosePayload,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) -> Bool {
        try takeTurn(&deadline)
        defer { leave(&deadline) }
        guard try enqueueLast(payload) else { return false }
        try flush(&deadline, isAccepted: true)
        try drainQueue(&deadline, isAccepted: true)
        return true
    }

    /// The same, sent as far as that goes at once.
    func sendCloseWithoutWaiting(_ payload: ClosePayload) throws(SendFailure) -> Bool {
        guard try enqueueLast(payload) else { return false }
        flushWithoutWaiting()
        return true
    }

    /// Takes the turn for many frames, until the writer is gone.
    func writer(timeout: Duration?) throws(SendFailure) -> FrameWriter {
        var deadline = LazyDeadline(timeout)
        try takeTurn(&deadline)
        var writer = FrameWriter(sender: self, timeout: timeout)
        try begin(&writer.deadline)
        return writer
    }

    // MARK: In turn

    private func takeTurn(_ deadline: inout LazyDeadline) throws(SendFailure) {
        guard turn.lock(until: deadline.value) else {
            throw .transport(.timedOut(.transfer), isAccepted: false)
        }
    }

    private func sendInTurn(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        defer { leave(&deadline) }
        try begin(&deadline)
        try append(frame, &deadline)
        try flush(&deadline, isAccepted: true)
    }

    /// Sends what earlier calls left, so that frames keep their order.
    private func begin(_ deadline: inout LazyDeadline) throws(SendFailure) {
        guard !isClosed else { throw .closing }
        if start < end || spilledStart < spilled.count {
            try flush(&deadline, isAccepted: false)
        }
        try drainQueue(&deadline)
        guard !isClosed else { throw .closing }
    }

    /// Masks a frame into the block, sending what doesn't fit.
    ///
    /// Fast because the payload is read once, masked (and checked) on its way into a block that
    /// stays in the second-level cache until the kernel has taken it.
    fileprivate func append(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if Tracing.isEnabled { Tracing.sent(frame) }
        if willCompress(frame) { return try appendCompressed(frame, &deadline) }
        if case .done = frame.compression { deflater?.resetContext() }
        let base = borrow()
        var rest = frame.payload
        var utf8 = UTF8State()
        var isChecked = !frame.needsUTF8Check
        if !isChecked, rest.count > Block.size - FrameHeader.maximumLength {
            // It will be sent piece by piece, and a part can't be taken back: check it ahead.
            try check(rest)
            isChecked = true
        }
        let needed = isChecked ? 0 : rest.count
        if Block.size - end < FrameHeader.maximumLength + needed {
            try flush(&deadline, isAccepted: false)
        }
        let frameStart = end
        var key: UInt32 = 0
        if masks { key = try nextKey() }
        let header = FrameHeader(
            isFinal: frame.isFinal,
            reservedBits: frame.reservedBits,
            opcode: frame.opcode,
            maskingKey: masks ? key : nil,
            payloadLength: rest.count
        )
        end += header.encode(into: base + end)
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

    /// The memory to mask into.
    private func borrow() -> UnsafeMutableRawPointer {
        if let base = own.value.base { return base }
        let block = Block.borrow()
        self.block = block
        return block.base
    }

    private func check(_ text: UnsafeRawBufferPointer) throws(SendFailure) {
        var state = UTF8State()
        let offset = Kernels.validate(text, state: &state)
        guard offset < 0, state.isOnBoundary else {
            throw .invalidUTF8(offset: offset < 0 ? text.count : offset)
        }
    }

    /// A masking key from the borrowed block.
    private func nextKey() throws(SendFailure) -> UInt32 {
        guard let keys = own.value.keys else { throw .transport(.aborted, isAccepted: false) }
        return try nextKey(from: &keys.pointee)
    }

    private func nextKey(from keys: inout MaskingKeys) throws(SendFailure) -> UInt32 {
        if let makeMaskingKey { return makeMaskingKey() }
        do throws(TransportError) {
            return try keys.next()
        } catch {
            throw .transport(error, isAccepted: false)
        }
    }

    /// Keeps the rest of a frame whose first part is on its way.
    private func spill(_ rest: UnsafeRawBufferPointer, key: UInt32) {
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
    fileprivate func flush(
        _ deadline: inout LazyDeadline,
        isAccepted: Bool
    ) throws(SendFailure) {
        do throws(TransportError) {
            if let block, start < end {
                try write(block.bytes, from: &start, to: end, &deadline)
            }
            start = 0
            end = 0
            if spilledStart < spilled.count { try writeSpilled(&deadline) }
        } catch {
            throw .transport(error, isAccepted: isAccepted)
        }
    }

    private func writeSpilled(_ deadline: inout LazyDeadline) throws(TransportError) {
        // The array leaves the variable while its pointer is out, so that nobody else touches it.
        var bytes: [UInt8] = []
        swap(&bytes, &spilled)
        var failure: TransportError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(TransportError) {
                try write(buffer, from: &spilledStart, to: buffer.count, &deadline)
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

    private func write(
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
                sentBytes.wrappingAdd(UInt64(count), ordering: .relaxed)
            case .wouldBlock(let interest): try stream.wait(for: interest, until: deadline.value)
            case .endOfStream: throw .aborted
            }
        }
    }

    /// Ends a turn: sends what has queued meanwhile, gives the block back, lets the next one in.
    ///
    /// It waits no longer than the call that had the turn may.
    fileprivate func leave(_ deadline: inout LazyDeadline) {
        while true {
            // A failure here concerns frames whose senders have returned: they stay held, and the
            // next call meets the same condition and reports it.
            try? flush(&deadline, isAccepted: true)
            try? drainQueue(&deadline)
            if start == end, let block {
                Block.giveBack(block)
                self.block = nil
            }
            heldBytes.store(end - start + spilled.count - spilledStart, ordering: .relaxed)
            let isStuck = start < end || spilledStart < spilled.count
            turn.unlock()
            // Pairs with the fence in `enqueue`: either this sees the frame, or its sender finds
            // the turn free.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            guard !isStuck, queuedBytes.load(ordering: .relaxed) > 0, turn.tryLock() else { return }
        }
    }

    /// What is compressed has to keep the order of compressing, so it waits for its turn.
    private func mayQueue(_ frame: OutgoingFrame) -> Bool {
        frame.payload.count <= Self.maximumQueuedPayload && frame.compression != .done
            && !willCompress(frame)
    }

    // MARK: Compression (RFC 7692 §7.2.1)

    private func willCompress(_ frame: OutgoingFrame) -> Bool {
        guard compressionThreshold != .max else { return false }
        switch frame.compression {
        case .never, .done: return false
        case .always: break
        case .automatic where frame.payload.count < compressionThreshold: return false
        case .automatic: break
        }
        return frame.isFinal && frame.reservedBits == 0
            && (frame.opcode == .text || frame.opcode == .binary)
    }

    /// Compresses a message straight into the block; what fills the block goes as a fragment.
    private func appendCompressed(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if frame.needsUTF8Check { try check(frame.payload) }
        let base = borrow()
        var rest = frame.payload
        var opcode = frame.opcode
        var isAccepted = false
        while true {
            if Block.size - end < Self.minimumCompressionRoom {
                do throws(SendFailure) {
                    try flush(&deadline, isAccepted: isAccepted)
                } catch {
                    if isAccepted { try spillCompressed(rest) }
                    throw error
                }
            }
            let room = UnsafeMutableRawBufferPointer(start: base + end, count: Block.size - end)
            let key = masks ? try nextKey() : nil
            let (consumed, written, isComplete) = try compress(
                rest,
                opcode: opcode,
                key: key,
                into: room
            )
            end += written
            if isComplete { return }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(consumed))
            opcode = .continuation
            isAccepted = true
        }
    }

    /// Makes one frame of as much as fits: the room for its header is guessed, and the payload moved
    /// down where the header came out shorter.
    private func compress(
        _ input: UnsafeRawBufferPointer,
        opcode: Opcode,
        key: UInt32?,
        into room: UnsafeMutableRawBufferPointer
    ) throws(SendFailure) -> (consumed: Int, written: Int, isComplete: Bool) {
        guard let base = room.baseAddress else { throw .compression }
        let guess = FrameHeader.maximumLength
        let output = UnsafeMutableRawBufferPointer(rebasing: room[guess...])
        let result: DeflateProgress?
        do throws(DeflateFailure) {
            result = try deflater?.compress(input, ending: .message, into: output)
        } catch {
            throw .compression
        }
        guard let progress = result else { throw .compression }
        let header = FrameHeader(
            isFinal: progress.isComplete,
            reservedBits: opcode == .continuation ? 0 : 4,
            opcode: opcode,
            maskingKey: key,
            payloadLength: progress.produced
        )
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
        return (progress.consumed, length + progress.produced, progress.isComplete)
    }

    /// Keeps the rest of a compressed message whose first part is on its way.
    private func spillCompressed(_ rest: UnsafeRawBufferPointer) throws(SendFailure) {
        var rest = rest
        let block = Block.borrow()
        defer { Block.giveBack(block) }
        var isComplete = false
        while !isComplete {
            let key = masks ? try nextKey(from: &block.keys.value) : nil
            let result = try compress(rest, opcode: .continuation, key: key, into: block.bytes)
            spilled.append(contentsOf: block.bytes.prefix(result.written))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(result.consumed))
            isComplete = result.isComplete
        }
    }

    // MARK: The queue

    /// Leaves a frame for whoever has the turn; false when the queue is full.
    private func enqueue(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        if frame.needsUTF8Check { try check(frame.payload) }
        let key = try nextQueueKey()
        let outcome = queue.withLock { queue -> SendQueue.Outcome in
            let outcome = queue.append(frame, maskingKey: key)
            if outcome == .queued { queuedBytes.store(queue.count, ordering: .relaxed) }
            return outcome
        }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        switch outcome {
        case .queued:
            if Tracing.isEnabled { Tracing.sent(frame) }
            return true
        case .full: return false
        case .closed: throw .closing
        }
    }

    /// Leaves the close frame behind all others; false if there has been one.
    private func enqueueLast(_ payload: ClosePayload) throws(SendFailure) -> Bool {
        let key = try nextQueueKey()
        defer { atomicMemoryFence(ordering: .sequentiallyConsistent) }
        return payload.encoded.withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .close, payload: bytes)
            let isFirst = queue.withLock { queue in
                let isFirst = queue.appendLast(frame, maskingKey: key)
                queuedBytes.store(queue.count, ordering: .relaxed)
                return isFirst
            }
            if isFirst, Tracing.isEnabled { Tracing.sent(frame) }
            return isFirst
        }
    }

    private func nextQueueKey() throws(SendFailure) -> UInt32? {
        guard masks else { return nil }
        let block = Block.borrow()
        defer { Block.giveBack(block) }
        return try nextKey(from: &block.keys.value)
    }

    /// Sends what has queued; `controlOnly` while a fragmented message is under way, which no other
    /// message may interrupt (RFC 6455 §5.4).
    private func drainQueue(
        _ deadline: inout LazyDeadline,
        controlOnly: Bool = false,
        isAccepted: Bool = false
    ) throws(SendFailure) {
        while spilled.isEmpty, queuedBytes.load(ordering: .relaxed) > 0 {
            queue.withLock { queue in
                queue.take(&spilled, controlOnly: controlOnly)
                queuedBytes.store(queue.count, ordering: .relaxed)
                isClosed = queue.isClosed && queue.count == 0
            }
            if spilled.isEmpty { return }
            try flush(&deadline, isAccepted: isAccepted)
        }
    }

    /// Lets others' frames out between the frames of a batch.
    fileprivate func yield(
        _ deadline: inout LazyDeadline,
        controlOnly: Bool
    ) throws(SendFailure) {
        guard queuedBytes.load(ordering: .relaxed) > 0 else { return }
        try flush(&deadline, isAccepted: true)
        try drainQueue(&deadline, controlOnly: controlOnly)
        guard !isClosed else { throw .closing }
    }
}

/// Collects frames and sends them with as few calls as the block allows; has the turn while it lives.
struct FrameWriter: ~Copyable {
    private let sender: Sender
    fileprivate var deadline: LazyDeadline
    private let timeout: Duration?
    private var isInsideMessage = false

    fileprivate init(sender: Sender, timeout: Duration?) {
        self.sender = sender
        self.timeout = timeout
        deadline = LazyDeadline(timeout)
    }

    deinit {
        var deadline = deadline
        sender.leave(&deadline)
    }

    mutating func append(_ frame: OutgoingFrame) throws(SendFailure) {
        deadline = LazyDeadline(timeout)
        try sender.yield(&deadline, controlOnly: isInsideMessage)
        try sender.append(frame, &deadline)
        if !frame.opcode.isControl { isInsideMessage = !frame.isFinal }
    }

    /// Sends what has been collected so far.
    mutating func flush() throws(SendFailure) {
        deadline = LazyDeadline(timeout)
        try sender.flush(&deadline, isAccepted: true)
    }
}
