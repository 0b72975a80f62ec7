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
/// so frames keep their order.
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

    private let stream: any ByteStream
    private let ledger: FrameLedger
    var encoder: FrameEncoder
    private var spilled: [UInt8] = []
    private var spilledStart = 0
    /// Where the portion taken from the queue ends, while it is in `spilled`.
    private var portion: SendQueue.Ticket?
    /// Whether nothing more may be sent: the close frame is out, or a write has failed.
    var isShut = false
    var reservation = Reservation.none
    /// Whether the last write found the stream full: only then will readiness be reported.
    var isStuck = false

    init(stream: any ByteStream, ledger: FrameLedger, encoder: consuming FrameEncoder) {
        self.stream = stream
        self.ledger = ledger
        self.encoder = encoder
    }

    /// How many bytes the stream hasn't taken yet.
    var heldCount: Int { encoder.count + spilled.count - spilledStart }

    /// How many messages that a batch has left here haven't gone out.
    var unwrittenMessages: Int {
        let isCut = portion == nil && !spilled.isEmpty && encoder.isAligned
        return encoder.countUnwrittenMessages() + (isCut ? 1 : 0)
    }

    /// Writes once, as much as the stream takes.
    mutating func step() throws(TransportError) -> SendStep {
        if encoder.count > 0 {
            let step = try encoder.write(to: stream)
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
        case .bytes(let count): spilledStart += count
        case .wouldBlock(let interest): return .wait(interest)
        case .endOfStream: throw .aborted
        }
        guard spilledStart == spilled.count else { return .goOn }
        spilledStart = 0
        spilled.removeAll(keepingCapacity: spilled.capacity <= SendQueue.keptCapacity)
        if let portion { ledger.resolve(portion) }
        portion = nil
        return .done
    }

    /// Takes the next portion from the queue; false if the queue was empty. Nothing may be held.
    mutating func takeOver(from queue: inout SendQueue) -> Bool {
        portion = queue.takePortion(into: &spilled)
        encoder.tally.add(queue.tally)
        queue.tally = FrameTally()
        if case .close? = portion?.lane { isShut = true }
        return portion != nil
    }

    /// Keeps what a batch has encoded, and the rest of an interrupted frame, if there is one.
    mutating func adopt(
        _ other: inout FrameEncoder,
        cut cursor: inout FrameCursor
    ) throws(SendFailure) {
        encoder.adopt(&other)
        try other.encodeRest(&cursor, into: &spilled)
    }

    /// As above, without an interrupted frame.
    mutating func adopt(_ other: inout FrameEncoder) { encoder.adopt(&other) }

    /// Keeps what a batch has encoded behind what is held already.
    mutating func append(_ other: inout FrameEncoder) {
        other.withUnwrittenBytes { spilled.append(contentsOf: $0) }
        other.discard()
    }

    /// Keeps the rest of an interrupted frame.
    mutating func keepRest(of cursor: inout FrameCursor) throws(SendFailure) {
        try encoder.encodeRest(&cursor, into: &spilled)
    }

    /// Keeps the rest of a message whose memory was handed over, masked already.
    mutating func keep(_ bytes: consuming [UInt8], from start: Int) {
        spilled = bytes
        spilledStart = start
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

    /// All bytes of frames that the stream has taken, wrapping around.
    var writtenBytes: UInt64 { written.load(ordering: .acquiring) }

    /// Only called in turn, so that it need not be a single atomic operation.
    func advance(by count: Int) {
        let sum = written.load(ordering: .relaxed) &+ UInt64(count)
        written.store(sum, ordering: .releasing)
    }

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
