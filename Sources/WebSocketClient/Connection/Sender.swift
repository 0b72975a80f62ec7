import Synchronization
import WebSocketAccel
import WebSocketProtocol

/// The sending half of a connection: frames in, masked bytes out, in order and never half a frame.
///
/// A sender takes the turn, masks its payload straight into a buffer, and writes. A thread that finds
/// the turn taken leaves a small frame in the queue, and the holder of the turn writes the queue with
/// one call: one lock for a lone sender, one system call for many senders.
///
/// Rules:
/// 1. Whoever stores to the queue looks at the turn afterwards, and whoever leaves the turn looks at the
///    queue afterwards; so one of them sees the other (orderings: `Turn`).
/// 2. A send returns when the stream has taken its frame, or when it has left the frame to a thread that
///    is writing and not waiting. If the stream is full, it waits until its frame has gone, and throws
///    if the connection fails. The first failure is final: every later call throws it.
/// 3. A frame that a time-out interrupted stays here and goes out before anything else; whoever waits
///    for the peer, in poll(2) or in an event loop, is nudged to write it when there is room.
/// 4. A thread that writes only for others leaves that to a thread that waits for the turn, at once
///    when the stream is full, otherwise after 10 ms; from then on the next sender waits for its turn.
/// 5. A batch encodes into a buffer of its own, and takes the turn only to write. A message in fragments, and
///    a batch that compresses with a context, reserve the stream or the compressor: `messages` is the
///    turn of the holder of the reservation, and always taken before `turn`.
/// 6. User code (masking keys, log handlers) may run in turn; messages that it sends on the same
///    connection are refused, and nothing that it does is logged (``Tracing/handing(_:)``).
final class Sender: @unchecked Sendable {
    // Safe to send: `turn` guards the outbox, `shared` has a lock, the rest is constant.
    let turn = Turn()
    /// The turn of a message in fragments, or of a batch that holds the compressor.
    var messages: Turn { lazyMessages.load() ?? lazyMessages.storeIfNil(Turn()) }
    /// Made when first needed: an idle connection should cost little.
    private let lazyMessages = LazyReference<Turn>()
    let stream: any ByteStream
    let log: ConnectionLog
    let traffic: Traffic
    let outbox: OwnedState<Outbox>
    private let role: Role
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    /// Messages of fewer bytes are sent uncompressed; all of them if nothing was negotiated.
    let compressionThreshold: Int
    /// Holds messages back for a moment, if corking was asked for.
    let cork: Cork?
    /// How long control frames may wait, if that is limited.
    let controlDelay: ControlDelay?
    /// Threads that compress besides the holder of the turn, if they were asked for and agreed.
    let workers: DeflateWorkers?

    private let shared: Locked<Shared>
    let ledger = FrameLedger()
    /// How much the stream had taken before the first frame.
    let bytesBeforeFrames: UInt64
    /// Bytes in the queue and bytes held in the outbox, for threads that don't hold the turn.
    let queuedBytes = Atomic<Int>(0)
    let heldBytes = Atomic<Int>(0)
    /// Whether the holder of the turn waits for room in the stream.
    private let isBlocked = Atomic<Bool>(false)
    /// How many threads wait for the turn.
    private let wanting = Atomic<Int>(0)
    /// The holder of the turn has written for others long enough: the next sender waits for it.
    private let wantsRelief = Atomic<Bool>(false)
    /// Where tasks wait for the stream, once tasks use the connection.
    let readiness = LazyReference<Readiness>()

    /// State shared by threads that don't hold the turn.
    private struct Shared: ~Copyable {
        var queue: SendQueue
        /// The first failure of a write. It is final.
        var failure: TransportError?
        /// Called when bytes are left for the event loop to write.
        var unsent: (@Sendable () -> Void)?
        /// Callbacks for the connection's end, by the number that `whenEnded` returned.
        var isEnded = false
        var nextNumber = 0
        var ends: [Int: @Sendable () -> Void] = [:]
    }

    /// The largest payload that may be left in the queue; with a larger one, a thread waits for its
    /// turn.
    private static let maximumQueuedPayload = 64 << 10
    /// How long a sender writes for others while another thread waits for the turn.
    private static let maximumService = Duration.milliseconds(10)
    /// How much of a handed-over message leaves with its header, which would otherwise be a segment by
    /// itself.
    private static let headSize = 16 << 10

    init(
        stream: any ByteStream,
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        deflater: consuming Deflater?,
        workers: DeflateWorkers? = nil,
        corking: Corking = .off,
        maximumControlDelay: Duration? = nil,
        log: ConnectionLog = .none,
        traffic: Traffic = Traffic()
    ) {
        self.traffic = traffic
        self.role = role
        self.log = log
        self.stream = stream
        bytesBeforeFrames = stream.writtenBytes
        self.workers = workers
        self.makeMaskingKey = makeMaskingKey
        shared = Locked(Shared(queue: SendQueue(masks: role == .client)))
        let corked = corking.delay.map { _ in WeakSender() }
        cork = corking.delay.map { Cork(delay: $0) { corked?.sender?.writeCorked() ?? false } }
        controlDelay = maximumControlDelay.map { ControlDelay(limit: $0) }
        controlDelay?.begin(stream)
        compressionThreshold = deflater?.threshold ?? .max
        outbox = OwnedState(
            Outbox(
                stream: stream,
                ledger: ledger,
                encoder: FrameEncoder(
                    role: role,
                    makeMaskingKey: makeMaskingKey,
                    compressionThreshold: compressionThreshold,
                    deflater: deflater
                ),
                isBounded: maximumControlDelay != nil
            )
        )
        corked?.set(self)
    }

    deinit {
        workers?.stop()
        // Corked messages have been accepted, and nobody is left to write them later.
        if cork?.isHolding == true { while case .goOn? = try? outbox.value.step() {} }
        cork?.becameEmpty()
    }

    /// How many accepted messages can't go out any more: corked ones, and those that a close frame has overtaken.
    var unsentMessages: Int { ledger.overtakenMessages + (cork?.lost ?? 0) }

    /// All bytes that the socket has taken; under TLS, of ciphertext.
    var sentBytes: UInt64 { stream.sentBytes }

    /// All bytes of frames that the stream has taken, wrapping around. Plus the held bytes, this is the
    /// end of everything accepted in turn.
    var writtenBytes: UInt64 { ledger.writtenBytes }

    /// Whether bytes are left that the stream didn't take at once.
    var hasUnsentBytes: Bool {
        heldBytes.load(ordering: .relaxed) + queuedBytes.load(ordering: .relaxed) > 0
    }

    /// Whether bytes wait for room in the stream while nobody is about to write them.
    var needsWriting: Bool {
        heldBytes.load(ordering: .relaxed) > 0 && !turn.isTaken
    }

    /// Sets a function to call, outside every turn, when bytes are left that have to be written as soon
    /// as there is room: the event loop's counterpart of `ByteStream.nudge()`.
    func onUnsentBytes(_ callback: (@Sendable () -> Void)?) {
        let previous = shared.withLock { shared in
            let previous = shared.unsent
            shared.unsent = callback
            return previous
        }
        // Released here, outside the lock.
        _ = previous
    }

    // MARK: The end

    /// The connection has ended: ends every wait for a turn, and calls the callbacks of `whenEnded`.
    func cancel() {
        turn.cancel()
        lazyMessages.load()?.cancel()
        let ends = shared.withLock { shared in
            shared.isEnded = true
            defer { shared.ends = [:] }
            return shared.ends
        }
        for end in ends.values { end() }
    }

    /// Runs `body`; calls `end` if the connection ends meanwhile, or has ended already.
    func whenEnded<Result, Failure>(
        call end: @escaping @Sendable () -> Void,
        during body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let number = whenEnded(call: end)
        defer { forgetEnd(number) }
        return try body()
    }

    /// Calls `end` when the connection ends, or at once if it has ended; until `forgetEnd`.
    func whenEnded(call end: @escaping @Sendable () -> Void) -> Int? {
        let number = shared.withLock { shared -> Int? in
            guard !shared.isEnded else { return nil }
            shared.nextNumber += 1
            shared.ends[shared.nextNumber] = end
            return shared.nextNumber
        }
        if number == nil { end() }
        return number
    }

    func forgetEnd(_ number: Int?) {
        guard let number else { return }
        // Released outside the lock: it may own anything.
        let end = shared.withLock { $0.ends.removeValue(forKey: number) }
        withExtendedLifetime(end) {}
    }

    // MARK: For other types

    /// Sends one frame; returns when the stream has taken it, or another sender is writing it.
    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(SendFailure) {
        if let workers, frame.payload.count <= DeflateWorkers.maximumMessage,
            frame.needsCompression(from: compressionThreshold)
        {
            // Without the turn, so that threads don't wait for each other's compression.
            if frame.needsUTF8Check { try OutgoingFrame.check(frame.payload) }
            return try workers.withCompressed(frame) { (frame) throws(SendFailure) in
                try send(frame, timeout: timeout)
            }
        }
        var deadline = LazyDeadline(timeout)
        if turn.tryTake() {
            if try sendInTurn(frame, &deadline) { return }
        } else if turn.isHeldByCurrentThread {
            throw .reentrant
        } else if mayQueue(frame), let ticket = try enqueue(frame) {
            return try settle(ticket, &deadline)
        } else {
            try takeTurn(&deadline)
            if try sendInTurn(frame, &deadline) { return }
        }
        // Another message is under way in fragments.
        while true {
            try take(messages, &deadline)
            defer { messages.leave() }
            try takeTurn(&deadline)
            if try sendInTurn(frame, &deadline) { return }
        }
    }

    /// Sends a binary message from its own memory.
    func send(consuming bytes: consuming [UInt8], timeout: Duration?) throws(SendFailure) {
        var deadline = LazyDeadline(timeout)
        try takeTurnBetweenMessages(&deadline, ownsStream: false)
        defer { leave(&deadline) }
        try begin(&deadline)
        try sendInPlace(consume bytes, &deadline)
    }

    /// Whether a binary message of `count` bytes can be sent from its own memory.
    func sendsInPlace(_ count: Int) -> Bool {
        role == .client && count > Self.headSize && count < compressionThreshold
    }

    /// Sends a control frame from the receiving thread, which never waits for the peer to read. It is
    /// dropped while too many wait: a pong may answer only the latest ping (RFC 6455 §5.5.3).
    func sendWithoutWaiting(_ frame: OutgoingFrame) throws(SendFailure) {
        _ = try attemptControl(frame)
    }

    /// Writes as much as the stream takes at once.
    func flushWithoutWaiting() {
        var deadline = LazyDeadline.immediate
        if turn.tryTake() { leave(&deadline) }
    }

    /// Sends the close frame, unless one has been sent: nothing can be sent after it. `willSend` runs
    /// before the peer can answer.
    func sendClose(
        _ payload: ClosePayload,
        _ deadline: inout LazyDeadline,
        willSend: () -> Void
    ) throws(SendFailure) {
        guard !turn.isHeldByCurrentThread else { throw .reentrant }
        guard try enqueueLast(payload, willSend) else { return }
        try takeTurn(&deadline)
        leave(&deadline)
        if let failure = shared.withLock({ $0.failure }) {
            throw .transport(failure, isAccepted: false)
        }
        if heldBytes.load(ordering: .relaxed) > 0 {
            throw .transport(.timedOut(nil), isAccepted: true)
        }
    }

    /// As above, but writes only as much as the stream takes at once.
    func sendCloseWithoutWaiting(
        _ payload: ClosePayload,
        willSend: () -> Void
    ) throws(SendFailure) {
        if try enqueueLast(payload, willSend) { flushWithoutWaiting() }
    }

    /// A writer for many frames.
    ///
    /// With `isMessage`, the frames are the fragments of one message, between which no other message
    /// may go out.
    func writer(timeout: Duration?, isMessage: Bool = false) throws(SendFailure) -> FrameWriter {
        var deadline = LazyDeadline(timeout)
        if shared.withLock({ $0.queue.isClosed }) { throw whyShut }
        // Its fragments needn't pass `admits`: nothing but continuations may follow.
        let reservation = isMessage ? try reserve(.message(hasBegun: true), &deadline) : nil
        return FrameWriter(
            sender: self,
            timeout: timeout,
            encoder: batchEncoder(),
            reservation: reservation
        )
    }

    /// An encoder for a batch, with a buffer of its own and without the compressor.
    func batchEncoder() -> FrameEncoder {
        FrameEncoder(
            role: role,
            makeMaskingKey: makeMaskingKey,
            compressionThreshold: compressionThreshold,
            deflater: nil
        )
    }

    // MARK: Turns

    func takeTurn(_ deadline: inout LazyDeadline) throws(SendFailure) {
        if turn.tryTake() { return }
        defer { wantsRelief.store(false, ordering: .relaxed) }
        do throws(SendFailure) {
            try take(turn, &deadline)
        } catch {
            // Somebody may have relied on this thread to write the queue.
            if case .transport = error, queuedBytes.load(ordering: .sequentiallyConsistent) > 0 {
                flushWithoutWaiting()
            }
            throw error
        }
    }

    private func waitForTurn(until deadline: Deadline) -> Turn.Outcome {
        wanting.wrappingAdd(1, ordering: .relaxed)
        defer { wanting.wrappingSubtract(1, ordering: .relaxed) }
        // If the holder writes only for others, and waits, it should leave that to this thread.
        if isBlocked.load(ordering: .relaxed) { stream.nudge() }
        return turn.take(until: deadline)
    }

    func take(_ turn: Turn, _ deadline: inout LazyDeadline) throws(SendFailure) {
        switch turn === self.turn
            ? waitForTurn(until: deadline.value) : turn.take(until: deadline.value)
        {
        case .taken: return
        case .alreadyHeld: throw .reentrant
        case .timedOut: throw .transport(.timedOut(nil), isAccepted: false)
        case .cancelled: throw .transport(.aborted, isAccepted: false)
        }
    }

    /// Takes the turn when no other message is under way.
    private func takeTurnBetweenMessages(
        _ deadline: inout LazyDeadline,
        ownsStream: Bool
    ) throws(SendFailure) {
        try takeTurn(&deadline)
        while case .message = outbox.value.reservation, !ownsStream {
            leave(&deadline)
            try take(messages, &deadline)
            messages.leave()
            try takeTurn(&deadline)
        }
    }

    /// Whether a frame may go out between the frames of the stream's holder: `owner`, if that isn't a
    /// thread.
    func mayPass(_ frame: OutgoingFrame, from owner: FragmentReservation? = nil) -> Bool {
        switch outbox.value.reservation {
        case .none: true
        case .compressor:
            !frame.isCompressed && !frame.needsCompression(from: compressionThreshold)
        case .message(let hasBegun):
            // A subclass sends the fragments one by one.
            frame.opcode.isControl
                || messages.isHeld(by: owner?.number ?? Threads.currentNumber)
                    && (frame.opcode == .continuation) == hasBegun
        }
    }

    // MARK: In turn

    /// False if the frame has to wait for another message to end.
    private func sendInTurn(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) -> Bool {
        if cork != nil, try corkInTurn(frame, &deadline) {
            leaveCorked(&deadline)
            return true
        }
        defer { leave(&deadline) }
        guard mayPass(frame) else { return false }
        try begin(&deadline)
        try put(frame, &deadline)
        return true
    }

    /// As above; `position` is where the frame ends, once it has been accepted.
    func sendInTurn(
        _ frame: OutgoingFrame,
        endingAt position: inout StreamPosition?,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) -> Bool {
        if cork != nil, try corkInTurn(frame, &deadline) {
            position = self.position
            leaveCorked(&deadline)
            return true
        }
        defer { leave(&deadline) }
        guard mayPass(frame) else { return false }
        try begin(&deadline)
        do throws(SendFailure) {
            try put(frame, &deadline)
        } catch {
            if case .transport(_, isAccepted: true) = error { position = self.position }
            throw error
        }
        position = self.position
        return true
    }

    /// Encodes a frame behind what is held (nothing, after `begin`), and writes it.
    func put(_ frame: OutgoingFrame, _ deadline: inout LazyDeadline) throws(SendFailure) {
        try append(frame, &deadline)
        do throws(TransportError) {
            try flush(&deadline)
        } catch {
            throw .transport(error, isAccepted: true)
        }
    }

    /// Encodes a frame behind what is held, and writes only if it doesn't fit.
    func append(_ frame: OutgoingFrame, _ deadline: inout LazyDeadline) throws(SendFailure) {
        if case .message = outbox.value.reservation, !frame.opcode.isControl {
            outbox.value.reservation = .message(hasBegun: !frame.isFinal)
        }
        if controlDelay == nil {
            try appendWhole(frame, &deadline)
        } else {
            try appendBounded(frame, &deadline)
        }
    }

    /// As above; only where it is compressed does it become several frames.
    func appendWhole(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if Tracing.isEnabled { log.sent(frame) }
        var cursor = FrameCursor(frame)
        while true {
            if let controlDelay { cursor.limit = controlDelay.size }
            if try encode(&cursor) { return }
            do throws(TransportError) {
                try flush(&deadline)
                try look(at: &deadline)
            } catch {
                let isAccepted = cursor.hasBegun && !outbox.value.isOvertaken
                if isAccepted { try keepRest(of: &cursor, after: error) }
                throw .transport(error, isAccepted: isAccepted)
            }
            if outbox.value.isOvertaken { throw .closing }
        }
    }

    /// Encodes into the outbox. If the compressor fails in the middle of a message, the connection has
    /// failed, as half a message has left.
    private func encode(_ cursor: inout FrameCursor) throws(SendFailure) -> Bool {
        do throws(SendFailure) {
            return try outbox.value.encoder.encode(&cursor)
        } catch {
            throw cut(cursor, by: error)
        }
    }

    private func cut(_ cursor: FrameCursor, by error: SendFailure) -> SendFailure {
        guard cursor.hasBegun else { return error }
        let failure = TransportError.system(call: "deflate", .outOfMemory)
        return .transport(fail(failure), isAccepted: false)
    }

    private func keepRest(
        of cursor: inout FrameCursor,
        after error: TransportError
    ) throws(SendFailure) {
        guard case .timedOut = error else { return }
        do throws(SendFailure) {
            if controlDelay != nil, !cursor.isPlain {
                try outbox.value.keepCompressed(&cursor)
            } else {
                try outbox.value.keepRest(of: &cursor)
            }
        } catch {
            throw cut(cursor, by: error)
        }
    }

    /// Masks a binary message in place and sends it from there.
    ///
    /// Fast because only the head is copied: a piece is still in the second-level cache, after masking,
    /// when the kernel takes it. If somebody else holds the array, it is copied first.
    func sendInPlace(
        _ bytes: consuming [UInt8],
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if let controlDelay, bytes.count > controlDelay.size {
            return try sendInFragments(bytes, &deadline)
        }
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
        if case .transport(.timedOut, isAccepted: true) = failure {
            // All of it is masked, and only the buffer's contents go before it.
            outbox.value.keep(consume bytes, from: sent)
        }
        throw failure
    }

    private func sendInPlace(
        _ payload: UnsafeMutableRawBufferPointer,
        from sent: inout Int,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        let frame = OutgoingFrame(opcode: .binary, payload: UnsafeRawBufferPointer(payload))
        if Tracing.isEnabled { log.sent(frame) }
        // Nothing is held, so the head fits.
        guard var key = try outbox.value.encoder.encodeHead(of: frame, Self.headSize) else {
            return
        }
        sent = Self.headSize
        var masked = sent
        do throws(TransportError) {
            try flush(&deadline)
            while sent < payload.count {
                let limit = min(sent + IOBuffer.size, payload.count)
                key = Kernels.mask(
                    UnsafeMutableRawBufferPointer(rebasing: payload[masked..<limit]),
                    key: key
                )
                masked = limit
                while sent < limit {
                    let rest = UnsafeRawBufferPointer(rebasing: payload[sent..<limit])
                    switch try write(rest) {
                    case .bytes(let count):
                        sent += count
                        ledger.advance(by: count)
                        if sent < payload.count { try look(at: &deadline) }
                    case .wouldBlock(let interest): try wait(for: interest, &deadline)
                    case .endOfStream: throw .aborted
                    }
                }
            }
        } catch {
            Kernels.mask(UnsafeMutableRawBufferPointer(rebasing: payload[masked...]), key: key)
            throw .transport(error, isAccepted: true)
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        do throws(TransportError) {
            return try stream.write(bytes)
        } catch {
            throw fail(error)
        }
    }

    /// Sends the bytes that earlier calls left, so that frames keep their order.
    func begin(_ deadline: inout LazyDeadline) throws(SendFailure) {
        guard !outbox.value.isShut else { throw whyShut }
        let queued = queuedBytes.load(ordering: .relaxed)
        guard outbox.value.heldCount > 0 || queued > 0 else { return }
        do throws(TransportError) {
            try flush(&deadline)
            // Frames that are queued meanwhile can wait until this call has sent its own.
            var taken = 0
            while taken < queued, takeOver() {
                // Control frames overtake messages, also those that came meanwhile: they don't count, or a
                // message of this thread's own could be left behind.
                if !outbox.value.holdsControlFrames { taken += outbox.value.heldCount }
                try flush(&deadline)
                try look(at: &deadline)
            }
        } catch {
            throw .transport(error, isAccepted: false)
        }
        guard !outbox.value.isShut else { throw whyShut }
    }

    var whyShut: SendFailure {
        shared.withLock { $0.failure }.map { .transport($0, isAccepted: false) } ?? .closing
    }

    /// Takes the next portion from the queue; false if there is none.
    func takeOver() -> Bool {
        guard queuedBytes.load(ordering: .relaxed) > 0 else { return false }
        return shared.withLock { shared in
            defer { queuedBytes.store(shared.queue.count, ordering: .relaxed) }
            return outbox.value.takeOver(
                from: &shared.queue,
                atMost: controlDelay?.size ?? .max
            )
        }
    }

    /// Takes over the control frames that have queued, between two frames; false if there are none.
    func takeOverControl() -> Bool {
        guard queuedBytes.load(ordering: .relaxed) > 0 else { return false }
        return shared.withLock { shared in
            defer { queuedBytes.store(shared.queue.count, ordering: .relaxed) }
            return outbox.value.takeOverControl(from: &shared.queue)
        }
    }

    /// Ends a turn: sends the frames queued meanwhile, gives the buffer back, and lets the next thread
    /// in.
    ///
    /// It waits no longer than the call's deadline, and not on behalf of others while another thread
    /// waits for the turn.
    func leave(_ deadline: inout LazyDeadline, after ticket: SendQueue.Ticket? = nil) {
        var service: Deadline?
        while true {
            if let cork { cork.isFlushWanted.store(false, ordering: .relaxed) }
            writeForOthers(&deadline, &service, ticket)
            let hasFailed = outbox.value.isShut && shared.withLock { $0.failure != nil }
            outbox.value.encoder.giveBackIfEmpty()
            let heldCount = hasFailed ? 0 : outbox.value.heldCount
            heldBytes.store(heldCount, ordering: .relaxed)
            let isStuck = outbox.value.isStuck
            traffic.sent.publish(outbox.value.encoder.tally)
            turn.leave()
            if heldCount > 0 {
                // Whoever waits for the peer's next bytes will send these, when there is room.
                stream.nudge()
                shared.withLock { $0.unsent }?()
                // If there is room, or the reactor reported some while the turn was taken, nobody else
                // will notice.
                if let readiness = readiness.load(),
                    !isStuck || readiness.sending.takeReadiness(.write)
                {
                    readiness.writeLater()
                }
                return
            }
            // Sequentially consistent with `enqueue` and `takeTurn`: either this thread sees the frame,
            // or the frame's sender, or a thread that waits for the turn, finds the turn free.
            guard !hasFailed, queuedBytes.load(ordering: .sequentiallyConsistent) > 0,
                turn.tryTake()
            else { return }
        }
    }

    /// Writes the held bytes and the queue. A failure is kept for the threads that it concerns.
    private func writeForOthers(
        _ deadline: inout LazyDeadline,
        _ service: inout Deadline?,
        _ ticket: SendQueue.Ticket?
    ) {
        guard outbox.value.heldCount > 0 || queuedBytes.load(ordering: .relaxed) > 0 else { return }
        do throws(TransportError) {
            repeat {
                if let service, service.isPast {
                    wantsRelief.store(true, ordering: .relaxed)
                    if isWanted(by: ticket) { return }
                } else if service == nil {
                    service = .after(Self.maximumService)
                }
                try flushForOthers(&deadline, ticket)
            } while takeOver()
        } catch {}
    }

    /// Writes the held bytes. While the stream is full, it leaves them to a thread that waits for the
    /// turn, as that one has a frame of its own to send.
    private func flushForOthers(
        _ deadline: inout LazyDeadline,
        _ ticket: SendQueue.Ticket?
    ) throws(TransportError) {
        while true {
            switch try step() {
            case .done: return
            case .goOn: try look(at: &deadline)
            case .wait where isWanted(by: ticket): throw .timedOut(nil)
            case .wait(let interest): try wait(for: interest, &deadline)
            }
        }
    }

    /// Whether this thread writes only for others while another one, which will write as well, wants
    /// the turn. `ticket` identifies this thread's own frame, if it has left one in the queue.
    private func isWanted(by ticket: SendQueue.Ticket?) -> Bool {
        if let ticket, !ledger.isResolved(ticket) { return false }
        return wanting.load(ordering: .relaxed) > 0
    }

    /// Writes the held bytes, and waits as long as the deadline allows.
    func flush(_ deadline: inout LazyDeadline) throws(TransportError) {
        while true {
            switch try step() {
            case .done: return
            case .goOn: try look(at: &deadline)
            case .wait(let interest): try wait(for: interest, &deadline)
            }
        }
    }

    /// As above, for the frames that a batch has encoded.
    private func flush(
        _ encoder: inout FrameEncoder,
        _ deadline: inout LazyDeadline
    ) throws(TransportError) {
        while true {
            let step: SendStep
            let before = encoder.count
            do throws(TransportError) {
                step = try encoder.write(to: stream)
            } catch {
                throw fail(error)
            }
            ledger.advance(by: before - encoder.count)
            switch step {
            case .done: return
            case .goOn: try look(at: &deadline)
            case .wait(let interest): try wait(for: interest, &deadline)
            }
        }
    }

    /// Writes as many of the held bytes as the stream takes in one call, and returns what to wait for;
    /// every way of waiting calls this, in turn.
    func step() throws(TransportError) -> SendStep {
        if controlDelay != nil { try prepareStep() }
        let before = outbox.value.heldCount
        do throws(TransportError) {
            let step = try outbox.value.step()
            if case .wait = step {
                outbox.value.isStuck = true
            } else {
                outbox.value.isStuck = false
            }
            // The close frame isn't part of what it has overtaken.
            if !outbox.value.isOvertaken { ledger.advance(by: before - outbox.value.heldCount) }
            if case .done = step, outbox.value.isBetweenFragments { return .goOn }
            if let cork, case .done = step { cork.becameEmpty() }
            return step
        } catch {
            throw fail(error)
        }
    }

    /// Between two system calls: the call has a limit, however fast the peer reads.
    func look(at deadline: inout LazyDeadline) throws(TransportError) {
        if deadline.value.isPast { throw .timedOut(nil) }
    }

    private func wait(
        for interest: Interest,
        _ deadline: inout LazyDeadline
    ) throws(TransportError) {
        controlDelay?.measure(stream)
        if deadline.isImmediate { throw .timedOut(nil) }
        try wait(for: interest, until: deadline.value)
    }

    private func wait(for interest: Interest, until deadline: Deadline) throws(TransportError) {
        traffic.sendWaits.wrappingAdd(1, ordering: .relaxed)
        traffic.sent.publish(outbox.value.encoder.tally)
        isBlocked.store(true, ordering: .relaxed)
        defer { isBlocked.store(false, ordering: .relaxed) }
        do throws(TransportError) {
            try stream.wait(for: interest, until: deadline)
        } catch {
            throw fail(error)
        }
    }

    /// Remembers the first failure of the stream.
    func fail(_ error: TransportError) -> TransportError {
        if case .timedOut = error { return error }
        outbox.value.isShut = true
        cork?.fail(unwritten: outbox.value.unwrittenMessages)
        return shared.withLock { shared in
            shared.queue.drop()
            queuedBytes.store(0, ordering: .sequentiallyConsistent)
            if let failure = shared.failure { return failure }
            shared.failure = error
            return error
        }
    }

    // MARK: The queue

    /// Compressed messages have to leave in the order of compression, so they wait for their turn,
    /// unless each message is compressed by itself.
    func mayQueue(_ frame: OutgoingFrame) -> Bool {
        frame.payload.count <= Self.maximumQueuedPayload
            && (!frame.isCompressed || workers != nil)
            && !wantsRelief.load(ordering: .relaxed)
            && !frame.needsCompression(from: compressionThreshold)
            && fits(frame, behind: 0)
    }

    /// Leaves a frame for the holder of the turn; nil if the queue is full.
    func enqueue(_ frame: OutgoingFrame) throws(SendFailure) -> SendQueue.Ticket? {
        if frame.needsUTF8Check { try OutgoingFrame.check(frame.payload) }
        let key = try nextQueueKey()
        let outcome = shared.withLock { shared -> SendQueue.Outcome in
            let outcome = shared.queue.append(frame, maskingKey: key)
            queuedBytes.store(shared.queue.count, ordering: .sequentiallyConsistent)
            return outcome
        }
        switch outcome {
        case .queued(let ticket):
            if Tracing.isEnabled { log.sent(frame) }
            return ticket
        case .full: return nil
        case .closed: throw whyShut
        }
    }

    /// Waits until a frame that was left in the queue has been sent, or is being written.
    private func settle(
        _ ticket: SendQueue.Ticket,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if turn.tryTake() {
            leave(&deadline, after: ticket)
        } else if controlDelay != nil, case .control = ticket.lane {
            // Whoever has the turn writes it in time, perhaps long before the turn is free.
            return
        } else if !isBlocked.load(ordering: .relaxed), heldBytes.load(ordering: .relaxed) == 0 {
            return
        }
        while !ledger.isResolved(ticket) {
            if let failure = shared.withLock({ $0.failure }) {
                throw .transport(failure, isAccepted: false)
            }
            switch waitForTurn(until: deadline.value) {
            case .taken: leave(&deadline, after: ticket)
            case .alreadyHeld: return
            case .cancelled: throw .transport(.aborted, isAccepted: false)
            case .timedOut: break
            }
            if !ledger.isResolved(ticket), deadline.value.isPast {
                throw .transport(.timedOut(nil), isAccepted: true)
            }
        }
    }

    /// Queues the close frame behind all others; false if there has been one.
    private func enqueueLast(
        _ payload: ClosePayload,
        _ willSend: () -> Void
    ) throws(SendFailure) -> Bool {
        let key = try nextQueueKey()
        return payload.encoded.withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .close, payload: bytes)
            let isFirst = shared.withLock { shared in
                let isFirst = shared.queue.appendLast(frame, maskingKey: key)
                if isFirst { willSend() }
                queuedBytes.store(shared.queue.count, ordering: .sequentiallyConsistent)
                return isFirst
            }
            if isFirst, Tracing.isEnabled { log.sent(frame) }
            return isFirst
        }
    }

    private func nextQueueKey() throws(SendFailure) -> UInt32? {
        guard role == .client else { return nil }
        let buffer = IOBuffer.borrow()
        let key = Result { () throws(SendFailure) in
            try FrameEncoder.nextKey(from: &buffer.keys, unlessBy: makeMaskingKey)
        }
        IOBuffer.giveBack(buffer)
        return try key.get()
    }

    // MARK: Reservations

    /// Reserves the stream for the fragments of a message that a subclass sends frame by frame.
    func reserveMessage(timeout: Duration?) throws(SendFailure) -> MessageReservation {
        var deadline = LazyDeadline(timeout)
        return try reserve(.message(hasBegun: false), &deadline)
    }

    /// Reserves the stream or the compressor, until the reservation is given back.
    func reserve(
        _ kind: Outbox.Reservation,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) -> MessageReservation {
        try take(messages, &deadline)
        do throws(SendFailure) {
            try takeTurn(&deadline)
            defer { leave(&deadline) }
            if case .message = kind {
                // From here on none is accepted, and those that were go out first.
                shared.withLock { $0.queue.refusesMessages = true }
            }
            do throws(SendFailure) {
                try begin(&deadline)
            } catch {
                shared.withLock { $0.queue.refusesMessages = false }
                throw error
            }
            outbox.value.reservation = kind
        } catch {
            messages.leave()
            throw error
        }
        return MessageReservation(sender: self)
    }

    /// Whether messages may be left in the queue.
    func refuseMessages(_ refuses: Bool) { shared.withLock { $0.queue.refusesMessages = refuses } }

    /// Whether messages that could be left in the queue have to wait for the end of one that is being cut.
    func awaitCutMessage(_ awaits: Bool) { shared.withLock { $0.queue.awaitsCutMessage = awaits } }

    fileprivate func endReservation() {
        // Even if cancelled: every holder leaves in time, and the reservation has to be given back
        // although the connection has ended.
        let outcome = turn.take(until: .never, evenIfCancelled: true)
        shared.withLock { $0.queue.refusesMessages = false }
        outbox.value.reservation = .none
        var deadline = LazyDeadline.immediate
        if outcome == .taken { leave(&deadline) }
        messages.leave()
    }

    /// Moves the compressor between the outbox and a batch.
    func exchangeDeflater(with encoder: inout FrameEncoder) {
        let outcome = turn.take(until: .never, evenIfCancelled: true)
        swap(&outbox.value.encoder.deflater, &encoder.deflater)
        var deadline = LazyDeadline.immediate
        if outcome == .taken { leave(&deadline) }
    }

    // MARK: Batches

    /// Writes what a batch has encoded; then encodes `frame`, if there is one, into the batch's buffer,
    /// and writes it too if it doesn't fit.
    ///
    /// If time runs out, the frame has been accepted and is left to the outbox, unless the turn
    /// couldn't be acquired.
    func write(
        _ encoder: inout FrameEncoder,
        then frame: OutgoingFrame?,
        ownsStream: Bool,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        try takeTurnBetweenMessages(&deadline, ownsStream: ownsStream)
        defer { leave(&deadline) }
        count(&encoder)
        defer { count(&encoder) }
        do throws(SendFailure) {
            try begin(&deadline)
        } catch {
            guard case .transport(.timedOut(let stage), _) = error else { throw error }
            outbox.value.append(&encoder)
            throw .transport(.timedOut(stage), isAccepted: frame == nil)
        }
        do throws(TransportError) {
            try flushOrHold(&encoder, &deadline)
        } catch {
            throw .transport(error, isAccepted: frame == nil)
        }
        guard let frame else { return }
        if controlDelay != nil, !fits(frame, behind: 0) {
            // Longer than what the batch may collect: it goes as outside of one, by the batch's compressor.
            guard frame.needsCompression(from: compressionThreshold) else {
                return try put(frame, &deadline)
            }
            swap(&outbox.value.encoder.deflater, &encoder.deflater)
            defer { swap(&outbox.value.encoder.deflater, &encoder.deflater) }
            return try put(frame, &deadline)
        }
        if try encoder.encodeWhole(frame) { return }
        var cursor = FrameCursor(frame)
        while true {
            let isWhole: Bool
            do throws(SendFailure) {
                isWhole = try encoder.encode(&cursor)
            } catch {
                throw cut(cursor, by: error)
            }
            do throws(TransportError) {
                try flush(&encoder, &deadline)
                if !isWhole { try look(at: &deadline) }
            } catch {
                if case .timedOut = error {
                    do throws(SendFailure) {
                        if isWhole {
                            outbox.value.adopt(&encoder)
                        } else {
                            try outbox.value.adopt(&encoder, cut: &cursor)
                        }
                    } catch {
                        throw cut(cursor, by: error)
                    }
                }
                let isAccepted = if case .timedOut = error { true } else { false }
                if !isAccepted { encoder.discard() }
                throw .transport(error, isAccepted: isAccepted)
            }
            if isWhole { return }
        }
    }

    /// Writes what a batch has encoded; nothing may be held. If time runs out, the outbox holds the rest.
    func flushOrHold(
        _ encoder: inout FrameEncoder,
        _ deadline: inout LazyDeadline
    ) throws(TransportError) {
        do throws(TransportError) {
            try flush(&encoder, &deadline)
        } catch {
            if case .timedOut = error { outbox.value.adopt(&encoder) }
            throw error
        }
    }

    /// Counts what a batch has encoded, in turn.
    func count(_ encoder: inout FrameEncoder) {
        outbox.value.encoder.tally.add(encoder.tally)
        encoder.tally = FrameTally()
    }

    /// How many messages, accepted when time ran out, won't go out because the connection has failed since.
    func countLostMessages() -> Int {
        var count = 0
        guard shared.withLock({ $0.failure != nil }) else { return 0 }
        if turn.take(until: .never, evenIfCancelled: true) == .taken {
            count = outbox.value.unwrittenMessages
            var deadline = LazyDeadline.immediate
            leave(&deadline)
        }
        return count
    }
}

/// A weak reference by which the reactor finds a sender without keeping its connection.
private final class WeakSender: @unchecked Sendable {
    // Safe to send: set once, before anybody else has the sender; a weak reference may be read by any thread.
    private(set) weak var sender: Sender?

    func set(_ sender: Sender) { self.sender = sender }
}

/// The right to send the fragments of one message, or to compress; it ends when this is released.
struct MessageReservation: ~Copyable {
    private let sender: Sender

    fileprivate init(sender: Sender) { self.sender = sender }

    deinit { sender.endReservation() }
}
