import Synchronization
import WebSocketAccel
import WebSocketProtocol

/// The sending half of a connection: frames in, masked bytes out, in order and never a frame in part.
///
/// A sender takes the turn, masks its payload straight into a buffer, and writes. A thread that finds the
/// turn taken leaves a small frame in the queue, and whoever has the turn writes what has queued with one
/// call: one lock for a lone sender, one system call for many senders.
///
/// Rules:
/// 1. Whoever stores to the queue looks at the turn afterwards, and whoever leaves the turn looks at the
///    queue afterwards; so one of them sees the other (orderings: `Turn`).
/// 2. A send returns when the stream has taken its frame, or when it has left the frame to a thread that
///    is writing and not waiting. If the stream is full, it waits until its frame has gone, and hears of the
///    connection's failure. The first failure is final: every later call meets it.
/// 3. What a time-out interrupted stays here and goes out before anything else; whoever waits for the peer,
///    in poll(2) or in an event loop, is nudged to write it when there is room.
/// 4. Whoever writes only for others leaves it to a thread that waits for the turn, at once when the stream
///    is full, or else after 10 ms; from then on the next sender waits for its turn.
/// 5. A batch encodes into a buffer of its own, and takes the turn only to write. A message in fragments, and
///    a batch that compresses with a context, reserve the stream or the compressor: `messages` is the turn
///    of whoever has reserved it, and always taken before `turn`.
/// 6. User code (masking keys, log handlers) may run in turn; what it sends on the same connection is
///    refused, and none of it is logged (``Tracing/handing(_:)``).
final class Sender: @unchecked Sendable {
    // Safe to send: `turn` guards the outbox, `shared` has a lock, the rest is constant.
    let turn = Turn()
    /// The turn of a message in fragments, or of a batch that has the compressor.
    var messages: Turn { lazyMessages.load() ?? lazyMessages.storeIfNil(Turn()) }
    /// Made when it is first needed: an idle connection should cost little.
    private let lazyMessages = LazyReference<Turn>()
    let stream: any ByteStream
    let log: ConnectionLog
    let traffic: Traffic
    let outbox: OwnedState<Outbox>
    private let role: Role
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    /// Messages of fewer bytes go as they are; all of them if nothing was negotiated.
    let compressionThreshold: Int
    /// What is collected before it goes out, if that was asked for.
    let cork: Cork?
    /// Who compresses besides the thread that has the turn, if that was asked for and agreed.
    let workers: DeflateWorkers?

    private let shared: Locked<Shared>
    let ledger = FrameLedger()
    /// What the stream had taken before the first frame.
    let bytesBeforeFrames: UInt64
    /// Bytes in the queue and bytes held in the outbox, for those who don't have the turn.
    let queuedBytes = Atomic<Int>(0)
    let heldBytes = Atomic<Int>(0)
    /// Whether whoever has the turn waits for room in the stream.
    private let isBlocked = Atomic<Bool>(false)
    /// How many threads wait for the turn.
    private let wanting = Atomic<Int>(0)
    /// Whoever has the turn has written for others long enough: the next sender waits for it.
    private let wantsRelief = Atomic<Bool>(false)
    /// Where tasks wait for the stream, once they use the connection.
    let readiness = LazyReference<Readiness>()

    /// What threads share that don't have the turn.
    private struct Shared {
        var queue: SendQueue
        /// The first failure of a write, which is final.
        var failure: TransportError?
        /// Called when bytes are left behind.
        var unsent: (@Sendable () -> Void)?
        /// Called when the connection ends, by the number that `whenEnded` gave them.
        var isEnded = false
        var nextNumber = 0
        var ends: [Int: @Sendable () -> Void] = [:]
    }

    /// The largest payload that may be left in the queue; more waits for its turn.
    private static let maximumQueuedPayload = 64 << 10
    /// How long a sender writes for others while another thread waits for the turn.
    private static let maximumService = Duration.milliseconds(10)
    /// How much of a message that was handed over leaves with its header: alone, that would be a segment
    /// of its own.
    private static let headSize = 16 << 10

    init(
        stream: any ByteStream,
        role: Role,
        makeMaskingKey: (@Sendable () -> UInt32)?,
        deflater: consuming Deflater?,
        workers: DeflateWorkers? = nil,
        corking: Corking = .off,
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
                )
            )
        )
        corked?.set(self)
    }

    deinit {
        workers?.stop()
        // What is corked was accepted, and nobody is left to write it later.
        if cork?.isHolding == true { while case .goOn? = try? outbox.value.step() {} }
        cork?.becameEmpty()
    }

    /// All bytes that the socket has taken, counted there: ciphertext under TLS.
    var sentBytes: UInt64 { stream.sentBytes }

    /// All bytes of frames that the stream has taken, wrapping around: with those that are held, the end of
    /// what has been accepted in turn.
    var writtenBytes: UInt64 { ledger.writtenBytes }

    /// Whether bytes wait that the stream didn't take at once.
    var hasUnsentBytes: Bool {
        heldBytes.load(ordering: .relaxed) + queuedBytes.load(ordering: .relaxed) > 0
    }

    /// Whether bytes wait for room in the stream and nobody is about to write them.
    var needsWriting: Bool {
        heldBytes.load(ordering: .relaxed) > 0 && !turn.isTaken
    }

    /// Sets what is called, outside every turn, when bytes are left behind that somebody has to write as
    /// soon as there is room: the event loop's counterpart of `ByteStream.nudge()`.
    func onUnsentBytes(_ callback: (@Sendable () -> Void)?) {
        let previous = shared.withLock { shared in
            let previous = shared.unsent
            shared.unsent = callback
            return previous
        }
        // Let go of here, outside the lock.
        _ = previous
    }

    // MARK: The end

    /// Ends every wait for a turn, and what `whenEnded` was asked for: the connection is at its end.
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

    /// Runs `body`; calls `end` if the connection ends meanwhile, or has ended.
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
        // Let go of outside the lock: it may own anything.
        let end = shared.withLock { $0.ends.removeValue(forKey: number) }
        withExtendedLifetime(end) {}
    }

    // MARK: What others call

    /// Sends one frame; returns when the stream has taken it, or another sender is writing it.
    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(SendFailure) {
        if let workers, frame.payload.count <= DeflateWorkers.maximumMessage,
            frame.needsCompression(from: compressionThreshold)
        {
            // Outside the turn, so that threads don't wait for each other's compression.
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

    /// Writes what waits, as far as that goes at once.
    func flushWithoutWaiting() {
        var deadline = LazyDeadline.immediate
        if turn.tryTake() { leave(&deadline) }
    }

    /// Sends the last frame, unless there has been one: nothing can be sent after it. `willSend` runs
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

    /// As above, sent as far as that goes at once.
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
        // Its fragments go past the rule for others: nothing but continuations may follow.
        let reservation = isMessage ? try reserve(.message(hasBegun: true), &deadline) : nil
        return FrameWriter(
            sender: self,
            timeout: timeout,
            encoder: FrameEncoder(
                role: role,
                makeMaskingKey: makeMaskingKey,
                compressionThreshold: compressionThreshold,
                deflater: nil
            ),
            reservation: reservation
        )
    }

    // MARK: Turns

    func takeTurn(_ deadline: inout LazyDeadline) throws(SendFailure) {
        if turn.tryTake() { return }
        defer { wantsRelief.store(false, ordering: .relaxed) }
        do throws(SendFailure) {
            try take(turn, &deadline)
        } catch {
            // Somebody may have relied on this thread to write what has queued.
            if case .transport = error, queuedBytes.load(ordering: .sequentiallyConsistent) > 0 {
                flushWithoutWaiting()
            }
            throw error
        }
    }

    private func waitForTurn(until deadline: Deadline) -> Turn.Outcome {
        wanting.wrappingAdd(1, ordering: .relaxed)
        defer { wanting.wrappingSubtract(1, ordering: .relaxed) }
        // Whoever writes only for others, and waits, had better leave that to this thread.
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

    /// Takes the turn when no message of another is under way.
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

    /// Whether a frame may go out between the frames of whoever has reserved the stream: `owner`, if
    /// that isn't a thread.
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
        if let cork, try corkInTurn(frame, cork, &deadline) != nil { return true }
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
        if let cork, let end = try corkInTurn(frame, cork, &deadline) {
            position = end
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

    /// Encodes a frame behind what is held, which is nothing after `begin`, and writes it.
    func put(_ frame: OutgoingFrame, _ deadline: inout LazyDeadline) throws(SendFailure) {
        try append(frame, &deadline)
        do throws(TransportError) {
            try flush(&deadline)
        } catch {
            throw .transport(error, isAccepted: true)
        }
    }

    /// Encodes a frame behind what is held, and writes only what doesn't fit.
    func append(_ frame: OutgoingFrame, _ deadline: inout LazyDeadline) throws(SendFailure) {
        if Tracing.isEnabled { log.sent(frame) }
        if case .message = outbox.value.reservation, !frame.opcode.isControl {
            outbox.value.reservation = .message(hasBegun: !frame.isFinal)
        }
        var cursor = FrameCursor(frame)
        while true {
            if try encode(&cursor) { return }
            do throws(TransportError) {
                try flush(&deadline)
                try look(at: &deadline)
            } catch {
                let isAccepted = cursor.hasBegun
                if isAccepted { try keepRest(of: &cursor, after: error) }
                throw .transport(error, isAccepted: isAccepted)
            }
        }
    }

    /// Encodes into the outbox. A compressor that fails in the middle of a message leaves it cut: then the
    /// connection has failed.
    private func encode(_ cursor: inout FrameCursor) throws(SendFailure) -> Bool {
        do throws(SendFailure) {
            return try outbox.value.encoder.encode(&cursor)
        } catch {
            throw cut(cursor, by: error)
        }
    }

    fileprivate func cut(_ cursor: FrameCursor, by error: SendFailure) -> SendFailure {
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
            try outbox.value.keepRest(of: &cursor)
        } catch {
            throw cut(cursor, by: error)
        }
    }

    /// Masks a binary message where it lies and sends it from there.
    ///
    /// Fast because nothing but the head is copied: a piece is masked, and still in the second-level
    /// cache when the kernel takes it. If somebody else holds the array, it is copied first.
    func sendInPlace(
        _ bytes: consuming [UInt8],
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
        if case .transport(.timedOut, isAccepted: true) = failure {
            // All of it is masked, and before it nothing is left but what the buffer holds.
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

    /// Sends what earlier calls left, so that frames keep their order.
    func begin(_ deadline: inout LazyDeadline) throws(SendFailure) {
        guard !outbox.value.isShut else { throw whyShut }
        let queued = queuedBytes.load(ordering: .relaxed)
        guard outbox.value.heldCount > 0 || queued > 0 else { return }
        do throws(TransportError) {
            try flush(&deadline)
            // Frames that come meanwhile can wait until this call has sent its own.
            var taken = 0
            while taken < queued, takeOver() {
                taken += outbox.value.heldCount
                try flush(&deadline)
                try look(at: &deadline)
            }
        } catch {
            throw .transport(error, isAccepted: false)
        }
        guard !outbox.value.isShut else { throw whyShut }
    }

    private var whyShut: SendFailure {
        shared.withLock { $0.failure }.map { .transport($0, isAccepted: false) } ?? .closing
    }

    /// Takes over the next portion of the queue; false if there is none.
    func takeOver() -> Bool {
        guard queuedBytes.load(ordering: .relaxed) > 0 else { return false }
        return shared.withLock { shared in
            defer { queuedBytes.store(shared.queue.count, ordering: .relaxed) }
            return outbox.value.takeOver(from: &shared.queue)
        }
    }

    /// Ends a turn: sends what has queued meanwhile, gives the buffer back, lets the next one in.
    ///
    /// It waits no longer than the call that had the turn may, and not for others while another thread
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
                // Whoever waits for the peer's next bytes sends these as well, when there is room.
                stream.nudge()
                shared.withLock { $0.unsent }?()
                // If there is room, or the reactor reported some while the turn was taken, nobody else
                // is going to say so.
                if let readiness = readiness.load(),
                    !isStuck || readiness.sending.takeReadiness(.write)
                {
                    readiness.writeLater()
                }
                return
            }
            // In one order with `enqueue` and `takeTurn`: either this sees the frame, or its sender,
            // or whoever waited for the turn, finds the turn free.
            guard !hasFailed, queuedBytes.load(ordering: .sequentiallyConsistent) > 0,
                turn.tryTake()
            else { return }
        }
    }

    /// Writes what is held and what has queued. A failure is kept for those whom it concerns.
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

    /// Writes what is held. While the stream is full, a thread that waits for the turn is the better one
    /// to wait: its own frame is among those.
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

    /// Whether another thread wants the turn that will write what is here, while this one is here only for
    /// others: `ticket` names the frame of its own that it has left in the queue.
    private func isWanted(by ticket: SendQueue.Ticket?) -> Bool {
        if let ticket, !ledger.isResolved(ticket) { return false }
        return wanting.load(ordering: .relaxed) > 0
    }

    /// Writes what is held, waiting as long as the deadline allows.
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
    fileprivate func flush(
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

    /// Writes once what is held, as much as the stream takes, and says what to wait for; every way of
    /// waiting calls this, in turn.
    func step() throws(TransportError) -> SendStep {
        let before = outbox.value.heldCount
        do throws(TransportError) {
            let step = try outbox.value.step()
            if case .wait = step {
                outbox.value.isStuck = true
            } else {
                outbox.value.isStuck = false
            }
            ledger.advance(by: before - outbox.value.heldCount)
            if let cork, case .done = step { cork.becameEmpty() }
            return step
        } catch {
            throw fail(error)
        }
    }

    /// Between two system calls: the peer may read as fast as it likes, the call has a limit.
    func look(at deadline: inout LazyDeadline) throws(TransportError) {
        if deadline.value.isPast { throw .timedOut(nil) }
    }

    private func wait(
        for interest: Interest,
        _ deadline: inout LazyDeadline
    ) throws(TransportError) {
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

    /// Compressed messages have to keep the order of compressing, so they wait for their turn, unless
    /// each message is compressed by itself.
    func mayQueue(_ frame: OutgoingFrame) -> Bool {
        frame.payload.count <= Self.maximumQueuedPayload
            && (!frame.isCompressed || workers != nil)
            && !wantsRelief.load(ordering: .relaxed)
            && !frame.needsCompression(from: compressionThreshold)
    }

    /// Leaves a frame for whoever has the turn; nil when the queue is full.
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

    /// Sees a frame off that was left in the queue.
    private func settle(
        _ ticket: SendQueue.Ticket,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if turn.tryTake() {
            leave(&deadline, after: ticket)
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

    /// Leaves the close frame behind all others; false if there has been one.
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

    fileprivate func endReservation() {
        // Every holder leaves in time; the end of the connection doesn't justify keeping the reservation.
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

    /// Writes what a batch has encoded; then encodes `frame`, if there is one, and leaves it in the batch's
    /// buffer if it fits, or else writes it too.
    ///
    /// A frame on which time runs out has been accepted and is left to the outbox, unless the turn
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
            try flush(&encoder, &deadline)
        } catch {
            if case .timedOut = error { outbox.value.adopt(&encoder) }
            throw .transport(error, isAccepted: frame == nil)
        }
        guard let frame else { return }
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

    /// Counts what a batch has encoded, in turn.
    private func count(_ encoder: inout FrameEncoder) {
        outbox.value.encoder.tally.add(encoder.tally)
        encoder.tally = FrameTally()
    }

    /// How many messages of a batch that were accepted when time ran out won't go out any more, because the
    /// connection has failed since. The batch was the last to leave something.
    func countCutMessages() -> Int {
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

/// How the reactor finds a sender whose connection it doesn't keep.
private final class WeakSender: @unchecked Sendable {
    // Safe to send: set once, before anybody else has the sender; a weak reference may be read by any thread.
    private(set) weak var sender: Sender?

    func set(_ sender: Sender) { self.sender = sender }
}

/// The right to send the fragments of one message, or to compress, until it goes.
struct MessageReservation: ~Copyable {
    private let sender: Sender

    fileprivate init(sender: Sender) { self.sender = sender }

    deinit { sender.endReservation() }
}
