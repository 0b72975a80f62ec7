import Synchronization
import WebSocketProtocol

/// The result of a sending step.
enum SendStep {
    /// Nothing is left.
    case done
    /// The stream has taken something and may take more at once: look at the clock, and go on.
    case goOn
    /// The stream is full: wait for this, and go on.
    case wait(Interest)
}

/// The bytes on their way out of a connection, in order. In turn only.
///
/// First the encoder's buffer, then `spilled`: the rest of a frame that a time-out interrupted, or a
/// portion taken from the queue. Nothing is encoded or taken from the queue while anything is spilled,
/// so frames keep their order. Behind them is the rest of a message that goes in fragments, which are
/// encoded one by one, and what a batch has left behind that. Control frames that may not wait are
/// `urgent`: they come before all others, and get there only between two frames.
struct Outbox: ~Copyable {
    /// What other threads' messages have to wait for.
    enum Reservation {
        case none
        /// A batch holds the compressor: compressed messages have to keep their order.
        case compressor
        /// A message is under way in fragments, which no other message may interrupt (RFC 6455 §5.4).
        /// `hasBegun`: one of its fragments has been encoded.
        case message(hasBegun: Bool)
    }

    private final class Bounded {
        var urgent = TakenFrames()
        /// What is left of a message that goes in fragments.
        var cutMessage: CutMessage?
        /// Whole frames of a batch that go out after it.
        var behind: [UInt8] = []
        var isCutting = false
        var isOvertaken = false
        /// How many bytes at the front have come in since what is behind them was accepted: the headers of
        /// further fragments, and control frames.
        var insertedCount = 0

        var heldCount: Int {
            urgent.count + (cutMessage?.count ?? 0) + behind.count - insertedCount
        }
    }

    private let stream: any ByteStream
    private let ledger: FrameLedger
    var encoder: FrameEncoder
    private var spilled: [UInt8] = []
    private var spilledStart = 0
    /// How many bytes at the front of `spilled` are the rest of a frame, or a portion taken from the queue. What is
    /// behind them are whole frames of a batch.
    private var spilledFront = 0
    /// Where the portion taken from the queue ends, while it is in `spilled`.
    private var portion: SendQueue.Ticket?
    /// What else there is where control frames may not wait. An object, or all of it would be copied with each
    /// look at `heldCount`.
    private let bounded: Bounded?
    /// Whether nothing more may be sent: the close frame is out, or a write has failed.
    var isShut = false
    var reservation = Reservation.none
    /// Whether the last write found the stream full: only then will readiness be reported.
    var isStuck = false

    init(
        stream: any ByteStream,
        ledger: FrameLedger,
        encoder: consuming FrameEncoder,
        isBounded: Bool
    ) {
        self.stream = stream
        self.ledger = ledger
        self.encoder = encoder
        bounded = isBounded ? Bounded() : nil
    }

    /// How many bytes the stream hasn't taken yet of what was accepted. Where that ends is fixed when it is
    /// accepted, so what is inserted later doesn't count.
    var heldCount: Int {
        encoder.count + spilled.count - spilledStart + (bounded?.heldCount ?? 0)
    }

    /// Whether a message is being encoded in fragments, the next of which isn't here yet.
    var isCutting: Bool {
        get { bounded?.isCutting ?? false }
        set { bounded?.isCutting = newValue }
    }

    /// Whether a close frame has overtaken a message, which remains incomplete.
    var isOvertaken: Bool { bounded?.isOvertaken ?? false }

    private var urgentCount: Int { bounded?.urgent.count ?? 0 }
    /// Whether the rest of a message is kept, to go in fragments.
    var hasCutMessage: Bool { bounded?.cutMessage != nil }

    /// Whether what was last taken from the queue, and is still held, are control frames.
    var holdsControlFrames: Bool { if case .control? = portion?.lane { true } else { false } }

    /// Whether something is held, and another frame may go before it.
    var isBetweenFrames: Bool {
        guard urgentCount == 0, heldCount > 0 else { return false }
        return encoder.count > 0 ? encoder.isUntouched : spilled.isEmpty
    }

    /// Whether all that is held is the rest of a message.
    var isBetweenFragments: Bool {
        hasCutMessage && encoder.count == 0 && spilled.isEmpty && urgentCount == 0
    }

    /// How many messages that a batch has left here haven't gone out.
    var unwrittenMessages: Int {
        let isCut = portion == nil && spilledStart < spilledFront && encoder.isAligned
        let whole = spilled.withUnsafeBytes { bytes in
            encoder.countMessages(
                UnsafeRawBufferPointer(rebasing: bytes[spilledFront...]),
                endingAfter: spilledStart - spilledFront
            )
        }
        return encoder.countUnwrittenMessages() + (isCut ? 1 : 0) + whole
            + (hasCutMessage ? 1 : 0) + messagesBehind
    }

    private var messagesBehind: Int {
        bounded?.behind.withUnsafeBytes { encoder.countMessages($0) } ?? 0
    }

    /// Writes once, as much as the stream takes.
    mutating func step() throws(TransportError) -> SendStep {
        if urgentCount > 0 { return try writeUrgent() }
        if encoder.count > 0 {
            let before = encoder.count
            let step = try encoder.write(to: stream)
            didWrite(before - encoder.count)
            guard case .done = step, !spilled.isEmpty else { return step }
            return .goOn
        }
        guard !spilled.isEmpty else { return .done }
        let start = spilledStart
        let stream = stream
        let result = spilled.withUnsafeBytes { bytes in
            Result { () throws(TransportError) in
                try stream.write(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            }
        }
        switch try result.get() {
        case .bytes(let count):
            spilledStart += count
            didWrite(count)
        case .wouldBlock(let interest): return .wait(interest)
        case .endOfStream: throw .aborted
        }
        guard spilledStart == spilled.count else { return .goOn }
        spilledStart = 0
        spilledFront = 0
        spilled.removeAll(keepingCapacity: spilled.capacity <= SendQueue.keptCapacity)
        if let portion { ledger.resolve(portion) }
        portion = nil
        return .done
    }

    private mutating func writeUrgent() throws(TransportError) -> SendStep {
        guard var urgent = bounded?.urgent else { return .done }
        switch try urgent.write(to: stream) {
        case .bytes(let count): didWrite(count)
        case .wouldBlock(let interest): return .wait(interest)
        case .endOfStream: throw .aborted
        }
        bounded?.urgent = urgent
        if urgent.count == 0, let ticket = urgent.ticket { ledger.resolve(ticket) }
        return heldCount > 0 || urgent.count > 0 ? .goOn : .done
    }

    private func didWrite(_ count: Int) {
        guard let inserted = bounded?.insertedCount, inserted > 0 else { return }
        bounded?.insertedCount = inserted - min(inserted, count)
    }

    /// Takes the next portion from the queue, of about `limit` bytes at most; false if the queue was empty.
    /// Nothing may be held.
    mutating func takeOver(from queue: inout SendQueue, atMost limit: Int) -> Bool {
        portion = queue.takePortion(into: &spilled, atMost: limit)
        spilledFront = spilled.count
        encoder.tally.add(queue.takeTally())
        if case .close? = portion?.lane { isShut = true }
        return portion != nil
    }

    /// Takes over the control frames of the queue, between two frames; false if there were none. Between fragments
    /// a close frame passes too, and ends the message where it is.
    mutating func takeOverControl(from queue: inout SendQueue) -> Bool {
        let isCut = isCutting || hasCutMessage
        var frames = TakenFrames()
        frames.ticket = queue.takeControl(into: &frames.bytes, evenClose: isCut)
        guard let ticket = frames.ticket else { return false }
        encoder.tally.add(queue.takeTally())
        bounded?.urgent = frames
        if case .close = ticket.lane {
            ledger.overtake(frames.count, messages: 1 + messagesBehind)
            isShut = true
            encoder.discard()
            bounded?.isOvertaken = true
            bounded?.cutMessage = nil
            bounded?.behind = []
            bounded?.insertedCount = 0
        } else {
            insert(frames.count)
        }
        return true
    }

    private func insert(_ count: Int) {
        bounded?.insertedCount += count
        ledger.insert(count)
    }

    /// Has `encode` put the next fragment of the cut message into the encoder's buffer, which is empty.
    mutating func encodeFragment(
        atMost size: Int,
        _ encode: (OutgoingFrame, inout FrameEncoder) throws(SendFailure) -> Void
    ) throws(SendFailure) {
        guard var message = bounded?.cutMessage.take() else { return }
        defer { if message.count > 0 { bounded?.cutMessage = message } }
        let before = message.count
        try message.takeFragment(atMost: size) { (fragment) throws(SendFailure) in
            try encode(fragment, &encoder)
        }
        insert(encoder.count - (before - message.count))
        if message.count == 0, let bounded { swap(&spilled, &bounded.behind) }
    }

    /// Keeps the rest of a message that goes in fragments.
    func keep(_ message: consuming CutMessage) { bounded?.cutMessage = message }

    /// Keeps the rest of a message that is being compressed, and whose first fragment has been encoded.
    mutating func keepCompressed(_ cursor: inout FrameCursor) throws(SendFailure) {
        bounded?.cutMessage = CutMessage(try encoder.compressRest(&cursor))
    }

    /// Keeps what a batch has encoded, and the rest of an interrupted frame, if there is one.
    mutating func adopt(
        _ other: inout FrameEncoder,
        cut cursor: inout FrameCursor
    ) throws(SendFailure) {
        // The frame that is cut is a message, although all that is in the buffer may have been written.
        other.leftMessages += max(other.countUnwrittenMessages(), 1)
        encoder.adopt(&other)
        try other.encodeRest(&cursor, into: &spilled)
        spilledFront = spilled.count
    }

    /// As above, without an interrupted frame.
    mutating func adopt(_ other: inout FrameEncoder) {
        other.leftMessages += other.countUnwrittenMessages()
        encoder.adopt(&other)
    }

    /// Keeps what a batch has encoded behind what is held already.
    mutating func append(_ other: inout FrameEncoder) {
        other.leftMessages += other.countUnwrittenMessages()
        other.withUnwrittenBytes { bytes in
            if let bounded, hasCutMessage {
                bounded.behind.append(contentsOf: bytes)
            } else {
                spilled.append(contentsOf: bytes)
            }
        }
        other.discard()
    }

    /// Keeps the rest of an interrupted frame.
    mutating func keepRest(of cursor: inout FrameCursor) throws(SendFailure) {
        try encoder.encodeRest(&cursor, into: &spilled)
        spilledFront = spilled.count
    }

    /// Keeps the rest of a message whose memory was handed over, masked already.
    mutating func keep(_ bytes: consuming [UInt8], from start: Int) {
        spilled = bytes
        spilledStart = start
        spilledFront = spilled.count
    }
}

/// Frames that were taken over from the queue, and how far they have been written.
private struct TakenFrames {
    var bytes: [UInt8] = []
    private var start = 0
    var ticket: SendQueue.Ticket?

    var count: Int { bytes.count - start }

    /// Writes once.
    mutating func write(to stream: any ByteStream) throws(TransportError) -> Transfer {
        let start = start
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(TransportError) in
                try stream.write(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            }
        }
        let transfer = try result.get()
        if case .bytes(let count) = transfer { self.start += count }
        return transfer
    }
}

/// How far the queue's frames have come, for threads that don't hold the turn.
///
/// A frame's position is resolved when the stream has taken it, or when the connection fails. Positions
/// only grow.
final class FrameLedger: Sendable {
    private let control = Atomic<UInt64>(0)
    private let messages = Atomic<UInt64>(0)
    private let written = Atomic<UInt64>(0)
    private let acknowledged = Atomic<UInt64>(0)
    private let inserted = Atomic<UInt64>(0)
    private let overtaken = Atomic<Int>(0)

    /// All bytes of frames that the stream has taken, but for those that were inserted, wrapping around.
    var writtenBytes: UInt64 { written.load(ordering: .acquiring) }

    /// Only called in turn, so that it need not be a single atomic operation.
    func advance(by count: Int) {
        let sum = written.load(ordering: .relaxed) &+ UInt64(count)
        written.store(sum, ordering: .releasing)
    }

    /// Bytes that have come in, or will, between what was accepted as a whole: headers of fragments and control
    /// frames. Where it ends had been said before, so positions don't count them.
    var insertedBytes: UInt64 { inserted.load(ordering: .acquiring) }

    /// Only called in turn, before the stream gets them.
    func insert(_ count: Int) {
        let sum = inserted.load(ordering: .relaxed) &+ UInt64(count)
        inserted.store(sum, ordering: .releasing)
    }

    /// A close frame of `count` bytes has overtaken `messages`, which never leave as a whole. Only called in turn,
    /// before the stream gets it.
    func overtake(_ count: Int, messages: Int) {
        insert(count)
        overtaken.store(messages, ordering: .releasing)
    }

    /// How many messages a close frame has overtaken.
    var overtakenMessages: Int { overtaken.load(ordering: .acquiring) }

    /// How many of them the peer's system is known to have acknowledged. It never decreases.
    var acknowledgedBytes: UInt64 { acknowledged.load(ordering: .relaxed) }

    /// Notes a newer count; for any thread.
    func acknowledge(_ count: UInt64) { acknowledged.max(count, ordering: .relaxed) }

    /// Only called in turn, so that it need not be a single atomic operation.
    func resolve(_ ticket: SendQueue.Ticket) {
        switch ticket.lane {
        case .control: control.store(ticket.end, ordering: .releasing)
        case .messages: messages.store(ticket.end, ordering: .releasing)
        case .close: break
        }
    }

    /// Whether the stream has taken the frame.
    func isResolved(_ ticket: SendQueue.Ticket) -> Bool {
        switch ticket.lane {
        case .control: control.load(ordering: .acquiring) >= ticket.end
        case .messages: messages.load(ordering: .acquiring) >= ticket.end
        case .close: false
        }
    }
}
