import Synchronization
import WebSocketProtocol

/// Why nothing can be received.
enum ReceiveFailure: Error {
    case transport(TransportError)
    case violation(ProtocolViolation)
    /// The peer ended the stream.
    case endOfStream
}

/// The result of an attempt to receive. An attempt never waits.
enum Attempt<Value> {
    case got(Value)
    /// Bytes have arrived, but not enough yet: look at the clock, and try again.
    case again
    /// Nothing is there: try again when the stream may be ready for this.
    case wait(Interest)
}

// Rules:
// 1. Whoever holds the turn receives; everything but `receivedBytes`, `attend` and `stopAttending`
//    belongs to that thread.
// 2. An attempt makes at most one system call that reads, and decodes what there is. It never waits; if
//    it would have to, that is its result.
// 3. A blocking call waits for bytes only in `wait`, and meanwhile writes what senders left because the
//    stream was full.
// 4. A message is received to its end in the mode in which it was begun.
// 5. The buffer is kept only while something is in it, or while a caller looks at a message in it.

/// The receiving half of a connection: bytes in, frames and messages out.
final class Receiver: @unchecked Sendable {
    // Safe to send: `turn` guards `own`, `attendant` has a lock, `receivedBytes` and `isAttended` are
    // atomic, the rest is constant.
    private let stream: any ByteStream
    private let sender: Sender

    let turn = Turn()
    private let own: OwnedState<State>

    private struct State: ~Copyable {
        var decoder: MessageDecoder
        var buffer: IOBuffer?
        /// The buffer of a message that a caller is looking at while something else is received.
        var lentBuffer: IOBuffer?
        var hasLentBuffer = false
        var isLending = false
        var partialFrame: Frame?
        var mode = ReceiveMode.messages
        /// The last read got everything that had arrived, so the next one would find nothing: suggest a
        /// wait first.
        var isDrained = false
        /// The last message was too large for the window, and the next one probably will be too: bytes
        /// of it that go into the window have to be copied, so read few of them.
        var followsLargeMessage = false
    }

    /// All bytes so far, wrapping around: a sign of life for threads that don't hold the turn.
    let receivedBytes = Atomic<UInt64>(0)

    private let isAttended = Atomic<Bool>(false)
    /// Where a task waits to receive, once tasks use the connection.
    let waitingTask = LazyReference<WaitSlot>()
    private let attendant = Locked<(@Sendable () -> Void)?>(nil)

    /// How much is read straight into a message at once: it fits the second-level cache, where the
    /// check of the text finds it.
    private static let stride = 256 << 10
    /// Smaller messages go through the window.
    private static let directThreshold = 16 << 10

    init(stream: any ByteStream, sender: Sender, decoder: consuming MessageDecoder) {
        self.stream = stream
        self.sender = sender
        own = OwnedState(State(decoder: decoder))
        if Tracing.isEnabled { self.decoder.onFragment = sender.log.receivedFragment }
    }

    var decoder: MessageDecoder {
        _read { yield own.value.decoder }
        _modify { yield &own.value.decoder }
    }

    /// Adds the bytes that were read together with the handshake.
    func prepend(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty else { return }
        borrow()
        decoder.window.room.copyBytes(from: bytes)
        decoder.window.append(bytes.count)
    }

    // MARK: The turn

    /// Takes the turn, waiting for it until the deadline.
    func enter(_ deadline: inout LazyDeadline) -> Turn.Outcome {
        turn.tryTake() ? .taken : turn.take(until: deadline.value)
    }

    /// Calls `callback` after each turn of another thread, and at the connection's end: for an owner
    /// that waits without holding the turn, and would miss what other threads leave in the buffer.
    func attend(_ callback: @escaping @Sendable () -> Void) {
        attendant.withLock { $0 = callback }
        isAttended.store(true, ordering: .sequentiallyConsistent)
    }

    func stopAttending() {
        isAttended.store(false, ordering: .relaxed)
        let former = attendant.withLock { attendant in
            defer { attendant = nil }
            return attendant
        }
        // Released outside the lock: it may own anything.
        withExtendedLifetime(former) {}
    }

    func callAttendant() {
        guard isAttended.load(ordering: .sequentiallyConsistent) else { return }
        attendant.withLock { $0 }?()
    }

    /// Leaves the turn, and gives the buffer back if nothing is in it.
    func leave() {
        leaveQuietly()
        callAttendant()
        waitingTask.load()?.knock()
    }

    /// As above, for a task, which is the one that waits.
    func leaveAsTask() {
        leaveQuietly()
        callAttendant()
    }

    /// As above, for the attendant's owner, which needs no call.
    func leaveQuietly() {
        giveBackIfEmpty()
        turn.leave()
    }

    /// Lets every thread see what has been received. In turn only.
    ///
    /// Called before each read, and so before each wait, at the end, and when somebody asks while
    /// nobody receives; not after each message, of which there may be millions a second.
    func publishCounts() { sender.traffic.received.publish(decoder.tally) }

    // MARK: Attempts

    /// The next message or control frame.
    func nextEvent() throws(ReceiveFailure) -> Attempt<DecodedEvent> {
        own.value.mode = .messages
        let event = try decode { decoder throws(ProtocolViolation) in try decoder.next() }
        guard case .needsMoreBytes = event else { return .got(traced(event)) }
        guard decoder.directlyReadable >= Self.directThreshold else { return try fill() }
        return try readDirectly()
    }

    /// The next message, if it is small and has arrived; otherwise does nothing.
    @inline(__always)
    func nextSmallMessage() throws(ReceiveFailure) -> (Opcode, UnsafeRawBufferPointer)? {
        if Tracing.isEnabled { return nil }
        return try decode { decoder throws(ProtocolViolation) in try decoder.nextSmallMessage() }
    }

    /// The next frame, whole.
    func nextFrame() throws(ReceiveFailure) -> Attempt<Frame> {
        own.value.mode = .frames
        var partial = own.value.partialFrame.take()
        defer { own.value.partialFrame = partial }
        let frame = try decode { decoder throws(ProtocolViolation) in
            try decoder.nextFrame(partial: &partial)
        }
        guard let frame else { return try fill() }
        if Tracing.isEnabled { sender.log.received(frame) }
        return .got(frame)
    }

    /// The next part of a message, or a control frame.
    func nextPart(
        into room: UnsafeMutableRawBufferPointer
    ) throws(ReceiveFailure) -> Attempt<DecodedPart> {
        own.value.mode = .parts
        let part = try decode { decoder throws(ProtocolViolation) in
            try decoder.nextPart(into: room)
        }
        switch part {
        case .needsMoreBytes:
            guard decoder.directlyReadable >= Self.directThreshold else { return try fill() }
            return try readPartDirectly(into: room)
        case .part: break
        case .control(let opcode, let payload): _ = traced(.control(opcode, payload))
        }
        return .got(part)
    }

    /// The next control frame; messages are dropped, whatever the mode of receiving.
    func nextControl() throws(ReceiveFailure) -> Attempt<DecodedEvent> {
        let event = try decode { decoder throws(ProtocolViolation) in try decoder.nextControl() }
        guard case .needsMoreBytes = event else { return .got(traced(event)) }
        return try fill()
    }

    /// Reads once, and drops what there is.
    func discard() throws(ReceiveFailure) -> Attempt<Never> {
        decoder.window.consume(decoder.window.count)
        let attempt: Attempt<Never> = try fill()
        decoder.window.consume(decoder.window.count)
        return attempt
    }

    /// The mode in which the message under way has to be received to its end; `nil` between messages.
    var unfinishedMode: ReceiveMode? {
        if decoder.frames.isBetweenMessages, !decoder.assembler.hasRemainder { return nil }
        return mode
    }

    /// How the message that is arriving is being received; meaningless between messages.
    var mode: ReceiveMode { own.value.mode }

    /// Whether a frame can be decoded without waiting for the stream; reads what has arrived to find
    /// out.
    func holdsFrame() throws(ReceiveFailure) -> Bool {
        // Some reads are enough for a buffer full; a peer may give hardly any data to each.
        for _ in 0..<16 {
            if decoder.holdsFrame { return true }
            guard !own.value.isDrained else { return false }
            borrow()
            decoder.window.compact()
            // One frame fills the window: the descriptor will announce the rest of it.
            guard !decoder.window.room.isEmpty else { return false }
            let attempt: Attempt<Never> = try fill()
            if case .wait = attempt { return false }
        }
        // What TLS still holds no descriptor announces, so the caller has to receive it.
        return decoder.holdsFrame || stream.hasBufferedInput
    }

    // MARK: Lending

    /// Runs `body`, which looks at a message in place; it may go on receiving after
    /// ``keepLentMessage()``.
    func lending<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        own.value.isLending = true
        defer {
            own.value.isLending = false
            if own.value.hasLentBuffer { giveBackLentBuffer() }
        }
        return try body()
    }

    /// Whether a caller is looking at a message.
    var isLending: Bool { own.value.isLending }

    /// Goes on in another buffer, so that the message that a caller is looking at stays unchanged.
    func keepLentMessage() {
        guard !own.value.hasLentBuffer, let former = own.value.buffer.take() else { return }
        let rest = UnsafeRawBufferPointer(decoder.window.bytes)
        let buffer = IOBuffer.borrow()
        buffer.bytes.copyMemory(from: rest)
        decoder.window.lend(buffer.bytes)
        decoder.window.append(rest.count)
        own.value.buffer = consume buffer
        own.value.lentBuffer = consume former
        own.value.hasLentBuffer = true
    }

    private func giveBackLentBuffer() {
        own.value.hasLentBuffer = false
        if let buffer = own.value.lentBuffer.take() { IOBuffer.giveBack(buffer) }
    }

    // MARK: Reading

    @inline(__always)
    private func decode<Result>(
        _ body: (inout MessageDecoder) throws(ProtocolViolation) -> Result
    ) throws(ReceiveFailure) -> Result {
        do throws(ProtocolViolation) {
            return try body(&own.pointer.pointee.decoder)
        } catch {
            throw .violation(error)
        }
    }

    @inline(__always)
    private func traced(_ event: DecodedEvent) -> DecodedEvent {
        if Tracing.isEnabled { sender.log.received(event, joined: decoder.assembler.count) }
        return event
    }

    /// Reads into the window.
    private func fill<Value>() throws(ReceiveFailure) -> Attempt<Value> {
        publishCounts()
        if takeDrained() { return .wait(.read) }
        borrow()
        decoder.window.compact()
        var room = decoder.window.room
        if own.value.followsLargeMessage {
            room = UnsafeMutableRawBufferPointer(rebasing: room.prefix(Self.directThreshold))
        }
        switch try read(into: room) {
        case .got(let count):
            decoder.window.append(count)
            own.value.followsLargeMessage = false
            return .again
        case .again: return .again
        case .wait(let interest): return .wait(interest)
        }
    }

    /// Reads into the storage of a large message.
    private func readDirectly() throws(ReceiveFailure) -> Attempt<DecodedEvent> {
        publishCounts()
        if takeDrained() { return .wait(.read) }
        var attempt = Attempt<Int>.again
        _ = try decoder.readDirectly(upTo: Self.stride) { (buffer) throws(ReceiveFailure) in
            attempt = try read(into: buffer)
            guard case .got(let count) = attempt else { return 0 }
            return count
        }
        switch attempt {
        case .got(let count):
            let event = try decode { decoder throws(ProtocolViolation) in
                try decoder.received(directly: count)
            }
            own.value.followsLargeMessage = decoder.assembler.count > IOBuffer.size
            if case .needsMoreBytes = event { return .again }
            return .got(traced(event))
        case .again: return .again
        case .wait(let interest): return .wait(interest)
        }
    }

    /// Reads into the caller's buffer.
    private func readPartDirectly(
        into room: UnsafeMutableRawBufferPointer
    ) throws(ReceiveFailure) -> Attempt<DecodedPart> {
        publishCounts()
        if takeDrained() { return .wait(.read) }
        let limit = min(room.count, decoder.directlyReadable, Self.stride)
        let free = UnsafeMutableRawBufferPointer(rebasing: room.prefix(limit))
        switch try read(into: free) {
        case .got(let count):
            let part = try decode { decoder throws(ProtocolViolation) in
                try decoder.receivedPart(
                    directly: UnsafeMutableRawBufferPointer(rebasing: free.prefix(count))
                )
            }
            if case .needsMoreBytes = part { return .again }
            return .got(part)
        case .again: return .again
        case .wait(let interest): return .wait(interest)
        }
    }

    /// Whether a wait should come before the next read; suggested once.
    private func takeDrained() -> Bool {
        defer { own.value.isDrained = false }
        return own.value.isDrained
    }

    private func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(ReceiveFailure) -> Attempt<Int> {
        let transfer: Transfer
        do throws(TransportError) {
            transfer = try stream.read(into: buffer)
        } catch {
            throw .transport(error)
        }
        return try accept(transfer, of: buffer.count)
    }

    /// The number of bytes that a read got. Only here is the stream asked whether there may be more: it
    /// knows what the socket, the TLS engine and its own memory hold.
    private func accept(_ transfer: Transfer, of room: Int) throws(ReceiveFailure) -> Attempt<Int> {
        switch transfer {
        case .bytes(let count):
            own.value.isDrained = !stream.mayHaveMore(afterReading: count, of: room)
            receivedBytes.wrappingAdd(UInt64(count), ordering: .relaxed)
            return .got(count)
        case .wouldBlock(let interest): return .wait(interest)
        case .endOfStream: throw .endOfStream
        }
    }

    // MARK: Waiting

    /// Waits until another attempt may find something, and writes meanwhile what senders left because
    /// the stream was full.
    func wait(for interest: Interest, _ deadline: inout LazyDeadline) throws(ReceiveFailure) {
        // The peer may be waiting for a corked message before it answers.
        sender.uncork()
        if interest == .read, try readSoon(&deadline) { return }
        giveBackIfEmpty()
        do throws(TransportError) {
            var ready = Interest()
            while ready.isDisjoint(with: interest) {
                // A sender that leaves something later nudges the stream, to be asked again.
                let isUnsent = sender.needsWriting
                let awaited = isUnsent ? interest.union(.write) : interest
                ready = try stream.wait(for: awaited, until: deadline.value)
                if isUnsent, ready.contains(.write) { sender.flushWithoutWaiting() }
            }
        } catch {
            throw .transport(error)
        }
    }

    /// Waits briefly inside the read itself, which saves a poll(2) if an answer is on its way. False if
    /// nothing came.
    private func readSoon(_ deadline: inout LazyDeadline) throws(ReceiveFailure) -> Bool {
        guard decoder.window.isEmpty, !sender.hasUnsentBytes, deadline.leavesAMoment else {
            return false
        }
        giveBackIfEmpty()
        // On the stack, as a waiting thread holds no buffer.
        var room = InlineArray<2048, UInt8>(repeating: 0)
        return try withUnsafeMutableBytes(of: &room) { room throws(ReceiveFailure) in
            let transfer: Transfer
            do throws(TransportError) {
                transfer = try stream.readSoon(into: room)
            } catch {
                throw .transport(error)
            }
            guard case .got(let count) = try accept(transfer, of: room.count) else { return false }
            prepend(room.prefix(count))
            return true
        }
    }

    // MARK: The buffer

    private func borrow() {
        guard !decoder.window.isLent else { return }
        let buffer = IOBuffer.borrow()
        decoder.window.lend(buffer.bytes)
        if !decoder.assembler.hasSpare {
            decoder.assembler.borrowSpare(from: &buffer.textStorage)
        }
        own.value.buffer = consume buffer
    }

    private func giveBackIfEmpty() {
        guard decoder.window.isEmpty, decoder.window.isLent || decoder.assembler.hasSpare else {
            return
        }
        let buffer = own.value.buffer.take() ?? IOBuffer.borrow()
        if decoder.assembler.hasSpare {
            decoder.assembler.returnSpare(to: &buffer.textStorage)
        }
        _ = decoder.window.takeBack()
        IOBuffer.giveBack(buffer)
    }
}

/// The modes of receiving, which can't be mixed within a message.
enum ReceiveMode { case messages, frames, parts }
