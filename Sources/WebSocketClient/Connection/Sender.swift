import Synchronization
import WebSocketProtocol

/// The sending half of a connection: frames in, masked bytes out, in order and never a frame in part.
///
/// A sender takes the turn, masks its payload straight into a block, and writes. Who finds the turn
/// taken leaves a small frame in the queue, and whoever has the turn writes what has queued with one
/// call: one lock for a lone sender, one system call for many senders.
///
/// What a time-out interrupted stays here and goes out before anything else.
final class Sender: @unchecked Sendable {
    // Safe to send: `turn` guards the outbox, the queue has its own lock, the rest is constant.
    private let turn = Turn()
    private let stream: any ByteStream
    fileprivate let outbox: OwnedState<Outbox>
    private let masks: Bool
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    /// Messages of fewer bytes go as they are; all of them if nothing was negotiated.
    fileprivate let compressionThreshold: Int
    /// Who compresses besides the thread that has the turn, if that was asked for and agreed.
    let workers: DeflateWorkers?

    private let queue = Locked(SendQueue())
    /// Bytes in the queue and bytes held in the outbox, for those who don't have the turn.
    private let queuedBytes = Atomic<Int>(0)
    private let heldBytes = Atomic<Int>(0)
    private let progress = SendProgress()

    /// Whoever has the turn has written for others long enough: the next sender waits for it.
    private let wantsRelief = Atomic<Bool>(false)

    /// The largest payload that may be left in the queue; more waits for its turn.
    private static let maximumQueuedPayload = 64 << 10
    /// How often a sender writes what others have queued before it asks to be relieved.
    private static let maximumRounds = 16

    init(
        stream: any ByteStream,
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        deflater: consuming Deflater?,
        workers: DeflateWorkers? = nil
    ) {
        masks = role == .client
        self.stream = stream
        self.workers = workers
        self.makeMaskingKey = makeMaskingKey
        compressionThreshold = deflater?.threshold ?? .max
        outbox = OwnedState(
            Outbox(
                outlet: Outlet(stream: stream, progress: progress),
                role: role,
                makeMaskingKey: makeMaskingKey,
                deflater: deflater
            )
        )
    }

    deinit {
        workers?.stop()
    }

    /// All bytes that the stream has taken, wrapping around.
    var sentBytes: UInt64 { progress.sentBytes.load(ordering: .relaxed) }

    /// Whether bytes wait that the stream didn't take at once.
    var hasUnsentBytes: Bool {
        heldBytes.load(ordering: .relaxed) + queuedBytes.load(ordering: .relaxed) > 0
    }

    /// Whether bytes wait for room in the stream and nobody is about to write them.
    var needsWriting: Bool {
        heldBytes.load(ordering: .relaxed) > 0 && !turn.isTaken
    }

    // MARK: What others call

    /// Sends one frame; returns when the stream has taken it, or another sender will write it.
    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(SendFailure) {
        if let workers, frame.payload.count <= DeflateWorkers.maximumMessage,
            frame.needsCompression(from: compressionThreshold)
        {
            // Outside the turn, so that threads don't wait for each other's compression.
            if frame.needsUTF8Check { try Outbox.check(frame.payload) }
            return try workers.withCompressed(frame) { (frame) throws(SendFailure) in
                try send(frame, timeout: timeout)
            }
        }
        var deadline = LazyDeadline(timeout)
        if turn.tryTake() {
            try sendInTurn(frame, &deadline)
        } else if mayQueue(frame), try enqueue(frame) {
            if turn.tryTake() { leave(&deadline) }
        } else {
            try takeTurn(&deadline)
            try sendInTurn(frame, &deadline)
        }
    }

    /// Sends a binary message from its own memory.
    func send(consuming bytes: consuming [UInt8], timeout: Duration?) throws(SendFailure) {
        var deadline = LazyDeadline(timeout)
        try takeTurn(&deadline)
        defer { leave(&deadline) }
        try begin(&deadline)
        try outbox.value.append(consuming: bytes, &deadline)
    }

    /// Whether a binary message of so many bytes can be sent from its own memory.
    func sendsInPlace(_ count: Int) -> Bool {
        masks && count > Outbox.headSize && count < compressionThreshold
    }

    /// Sends a control frame from the receiving thread, which never waits for the peer to read. It is
    /// dropped while too many wait: a pong may answer the latest ping alone (RFC 6455 §5.5.3).
    func sendWithoutWaiting(_ frame: OutgoingFrame) throws(SendFailure) {
        if try enqueue(frame) { flushWithoutWaiting() }
    }

    /// Writes what waits, as far as that goes at once.
    func flushWithoutWaiting() {
        var deadline = LazyDeadline(.zero)
        if turn.tryTake() { leave(&deadline) }
    }

    /// Sends the last frame, unless there has been one: nothing can be sent after it. `willSend` runs
    /// before the peer can answer.
    func sendClose(
        _ payload: ClosePayload,
        _ deadline: inout LazyDeadline,
        willSend: () -> Void
    ) throws(SendFailure) {
        try takeTurn(&deadline)
        defer { leave(&deadline) }
        guard try enqueueLast(payload, willSend) else { return }
        try outbox.value.flush(&deadline, isAccepted: true)
        try drainQueue(&deadline, isAccepted: true)
    }

    /// The same, sent as far as that goes at once.
    func sendCloseWithoutWaiting(
        _ payload: ClosePayload,
        willSend: () -> Void
    ) throws(SendFailure) {
        if try enqueueLast(payload, willSend) { flushWithoutWaiting() }
    }

    /// Takes the turn for many frames, until the writer is gone.
    func writer(timeout: Duration?) throws(SendFailure) -> FrameWriter {
        var deadline = LazyDeadline(timeout)
        try takeTurn(&deadline)
        var writer = FrameWriter(sender: self, timeout: timeout)
        try begin(&writer.deadline)
        return writer
    }

    /// Ends every wait for the turn: the connection is at its end.
    func cancel() { turn.cancel() }

    // MARK: In turn

    private func takeTurn(_ deadline: inout LazyDeadline) throws(SendFailure) {
        if turn.tryTake() { return }
        let outcome = turn.take(until: deadline.value)
        wantsRelief.store(false, ordering: .relaxed)
        switch outcome {
        case .taken: return
        case .alreadyHeld: throw .reentrant
        case .timedOut, .cancelled:
            // Somebody may have relied on this thread to write what has queued.
            if queuedBytes.load(ordering: .sequentiallyConsistent) > 0 { flushWithoutWaiting() }
            if outcome == .cancelled { throw .transport(.aborted, isAccepted: false) }
            throw .transport(.timedOut(.transfer), isAccepted: false)
        }
    }

    private func sendInTurn(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        defer { leave(&deadline) }
        try begin(&deadline)
        try outbox.value.append(frame, &deadline)
        try outbox.value.flush(&deadline, isAccepted: true)
    }

    /// Sends what earlier calls left, so that frames keep their order.
    private func begin(_ deadline: inout LazyDeadline) throws(SendFailure) {
        guard !outbox.value.isClosed else { throw .closing }
        if outbox.value.heldCount > 0 {
            try outbox.value.flush(&deadline, isAccepted: false)
        }
        try drainQueue(&deadline)
        guard !outbox.value.isClosed else { throw .closing }
    }

    /// Ends a turn: sends what has queued meanwhile, gives the block back, lets the next one in.
    ///
    /// It waits no longer than the call that had the turn may, and writes for others only until
    /// somebody has waited long for the turn; after some rounds, the next sender has to wait for it.
    fileprivate func leave(_ deadline: inout LazyDeadline) {
        var rounds = 0
        while true {
            // A failure here concerns frames whose senders have returned: they stay held, and the
            // next call meets the same condition and reports it.
            try? outbox.value.flush(&deadline, isAccepted: true)
            try? drainQueue(&deadline)
            outbox.value.giveBackIfEmpty()
            let heldCount = outbox.value.heldCount
            heldBytes.store(heldCount, ordering: .relaxed)
            turn.leave()
            // Who waits for the peer's next bytes sends these as well, when there is room.
            if heldCount > 0 { stream.nudge() }
            // In one order with `enqueue` and `takeTurn`: either this sees the frame, or its sender,
            // or who waited for the turn, finds the turn free.
            guard heldCount == 0, queuedBytes.load(ordering: .sequentiallyConsistent) > 0,
                turn.tryTake()
            else { return }
            rounds += 1
            if rounds == Self.maximumRounds { wantsRelief.store(true, ordering: .relaxed) }
        }
    }

    /// What is compressed has to keep the order of compressing, so it waits for its turn, unless
    /// each message is compressed by itself.
    private func mayQueue(_ frame: OutgoingFrame) -> Bool {
        frame.payload.count <= Self.maximumQueuedPayload
            && (!frame.isCompressed || workers != nil)
            && !wantsRelief.load(ordering: .relaxed)
            && !frame.needsCompression(from: compressionThreshold)
    }

    // MARK: The queue

    /// Leaves a frame for whoever has the turn; false when the queue is full.
    private func enqueue(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        if frame.needsUTF8Check { try Outbox.check(frame.payload) }
        let key = try nextQueueKey()
        let outcome = queue.withLock { queue -> SendQueue.Outcome in
            let outcome = queue.append(frame, maskingKey: key)
            if outcome == .queued {
                queuedBytes.store(queue.count, ordering: .sequentiallyConsistent)
            }
            return outcome
        }
        switch outcome {
        case .queued:
            if Tracing.isEnabled { Tracing.sent(frame) }
            return true
        case .full: return false
        case .closed: throw .closing
        }
    }

    /// Leaves the close frame behind all others; false if there has been one.
    private func enqueueLast(
        _ payload: ClosePayload,
        _ willSend: () -> Void
    ) throws(SendFailure) -> Bool {
        let key = try nextQueueKey()
        return payload.encoded.withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .close, payload: bytes)
            let isFirst = queue.withLock { queue in
                let isFirst = queue.appendLast(frame, maskingKey: key)
                if isFirst { willSend() }
                queuedBytes.store(queue.count, ordering: .sequentiallyConsistent)
                return isFirst
            }
            if isFirst, Tracing.isEnabled { Tracing.sent(frame) }
            return isFirst
        }
    }

    private func nextQueueKey() throws(SendFailure) -> UInt32? {
        guard masks else { return nil }
        let block = Block.borrow()
        let key = Result { () throws(SendFailure) in
            try Outbox.nextKey(from: &block.keys, unlessBy: makeMaskingKey)
        }
        Block.giveBack(block)
        return try key.get()
    }

    /// Sends what has queued so far; `controlOnly` while a fragmented message is under way, which no
    /// other message may interrupt (RFC 6455 §5.4).
    private func drainQueue(
        _ deadline: inout LazyDeadline,
        controlOnly: Bool = false,
        isAccepted: Bool = false
    ) throws(SendFailure) {
        for kind in SendQueue.Kind.allCases where kind == .control || !controlOnly {
            guard !outbox.value.hasSpilled, queuedBytes.load(ordering: .relaxed) > 0 else { return }
            queue.withLock { queue in
                outbox.value.takeOver { queue.take(kind, &$0) }
                queuedBytes.store(queue.count, ordering: .relaxed)
                outbox.value.isClosed = queue.isClosed && queue.count == 0
            }
            if outbox.value.hasSpilled {
                try outbox.value.flush(&deadline, isAccepted: isAccepted)
            }
        }
    }

    /// Lets others' frames out between the frames of a batch, and what a time-out left before them.
    fileprivate func yield(
        _ deadline: inout LazyDeadline,
        controlOnly: Bool
    ) throws(SendFailure) {
        guard outbox.value.hasSpilled || queuedBytes.load(ordering: .relaxed) > 0 else { return }
        // The frame that is to follow hasn't been taken yet.
        try outbox.value.flush(&deadline, isAccepted: false)
        try drainQueue(&deadline, controlOnly: controlOnly)
        guard !outbox.value.isClosed else { throw .closing }
    }
}

/// Collects frames and sends them with as few calls as the block allows; has the turn while it lives.
struct FrameWriter: ~Copyable {
    private let sender: Sender
    fileprivate var deadline: LazyDeadline
    private var isInsideMessage = false
    /// What is compressed side by side, where that was agreed.
    private var pipeline: DeflatePipeline?

    fileprivate init(sender: Sender, timeout: Duration?) {
        self.sender = sender
        deadline = LazyDeadline(timeout)
        if let workers = sender.workers { pipeline = DeflatePipeline(workers) }
    }

    deinit {
        if pendingCount > 0 { sender.workers?.withdraw() }
        var deadline = deadline
        sender.leave(&deadline)
    }

    /// How many messages have been taken that will not go out unless this goes on.
    var pendingCount: Int { pipeline?.count ?? 0 }

    mutating func append(_ frame: OutgoingFrame) throws(SendFailure) {
        deadline.restart()
        if pipeline != nil, try appendToPipeline(frame) { return }
        let sender = sender
        try sender.yield(&deadline, controlOnly: isInsideMessage)
        try sender.outbox.value.append(frame, &deadline)
        if !frame.opcode.isControl { isInsideMessage = !frame.isFinal }
    }

    /// False for a frame that isn't for the pipeline; then that is empty.
    private mutating func appendToPipeline(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        let needsCompression = frame.needsCompression(from: sender.compressionThreshold)
        guard pipeline?.takes(frame, needsCompression: needsCompression) == true else {
            while pendingCount > 0 { try sendOldest() }
            return false
        }
        if frame.needsUTF8Check { try Outbox.check(frame.payload) }
        while pipeline?.isFull == true { try sendOldest() }
        pipeline?.add(frame, needsCompression: needsCompression)
        return true
    }

    private mutating func sendOldest() throws(SendFailure) {
        let sender = sender
        try pipeline?.sendOldest(&deadline) { (frame, deadline) throws(SendFailure) in
            try sender.yield(&deadline, controlOnly: false)
            try sender.outbox.value.append(frame, &deadline)
        }
    }

    /// Sends what has been collected so far.
    mutating func flush() throws(SendFailure) {
        let sender = sender
        deadline.restart()
        while pendingCount > 0 { try sendOldest() }
        try sender.outbox.value.flush(&deadline, isAccepted: true)
    }
}
