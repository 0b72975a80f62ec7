import WebSocketAccel
import WebSocketProtocol

/// Encoded frames that wait for the sender that holds the turn.
///
/// Rules:
/// 1. Control frames overtake messages: they are all taken before the next portion of messages.
/// 2. Messages are taken in portions of at most 64 KiB, cut between frames, so that a control frame
///    never waits behind more than that.
/// 3. The close frame leaves last, and nothing is accepted after it (RFC 6455 §5.5.1).
/// 4. While a message is under way in fragments of its own, no other message is accepted (§5.4).
/// 5. Nor behind a message that is cut to let control frames pass: the close frame passes too, and what it
///    overtakes can't leave any more.
struct SendQueue: ~Copyable {
    enum Outcome {
        case queued(Ticket)
        case full
        case closed
    }

    enum Lane { case control, messages, close }

    /// Identifies an accepted frame: where in its lane it ends, in bytes since the beginning.
    struct Ticket {
        var lane: Lane
        var end: UInt64
    }

    /// Made when first needed: most connections have one sender at a time, and should cost little.
    private final class Lanes: @unchecked Sendable {
        // Safe to send: only the queue that made it refers to it, and that can't be copied.
        var control = Frames()
        var messages = Frames()
        var close = Frames()
        /// Counts the accepted frames since it was last emptied.
        var tally = FrameTally()

        var count: Int { control.count + messages.count + close.count }
    }

    private struct Frames {
        var bytes: [UInt8] = []
        /// Where the frames that haven't been taken begin.
        var start = 0
        /// Where the last frame ends, in bytes since the beginning.
        var end: UInt64 = 0

        var count: Int { bytes.count - start }
    }

    /// How many bytes of messages may wait; beyond that, senders wait themselves.
    private static let maximumBytes = 1 << 20
    private static let maximumControlBytes = 16 << 10
    private static let maximumPortion = 64 << 10
    /// Storage kept for the next use.
    static let keptCapacity = 256 << 10

    private let masks: Bool
    private var lanes: Lanes?
    private(set) var isClosed = false
    /// Whether a message is under way in fragments.
    var refusesMessages = false
    /// Whether a message is being cut.
    var awaitsCutMessage = false

    init(masks: Bool) { self.masks = masks }

    var count: Int { lanes?.count ?? 0 }

    /// Takes the counts of the frames that were accepted since this was last called.
    mutating func takeTally() -> FrameTally {
        guard let lanes else { return FrameTally() }
        defer { lanes.tally = FrameTally() }
        return lanes.tally
    }

    mutating func append(_ frame: OutgoingFrame, maskingKey: UInt32?) -> Outcome {
        guard !isClosed else { return .closed }
        let lanes = makeLanes()
        if frame.opcode.isControl {
            guard lanes.control.count <= Self.maximumControlBytes else { return .full }
            count(frame, in: lanes)
            Self.encode(frame, maskingKey, into: &lanes.control)
            return .queued(Ticket(lane: .control, end: lanes.control.end))
        }
        guard lanes.messages.count < Self.maximumBytes, !refusesMessages, !awaitsCutMessage else {
            return .full
        }
        count(frame, in: lanes)
        Self.encode(frame, maskingKey, into: &lanes.messages)
        return .queued(Ticket(lane: .messages, end: lanes.messages.end))
    }

    /// Adds the close frame behind all others; false if there has been one.
    mutating func appendLast(_ frame: OutgoingFrame, maskingKey: UInt32?) -> Bool {
        guard !isClosed else { return false }
        isClosed = true
        let lanes = makeLanes()
        count(frame, in: lanes)
        Self.encode(frame, maskingKey, into: &lanes.close)
        return true
    }

    private mutating func makeLanes() -> Lanes {
        if let lanes { return lanes }
        let made = Lanes()
        lanes = made
        return made
    }

    /// Nothing will leave any more.
    mutating func drop() {
        isClosed = true
        lanes?.control = Frames()
        lanes?.messages = Frames()
        lanes?.close = Frames()
    }

    /// Moves the frames that leave next into an empty array, and returns where the last of them ends. More than one
    /// message is taken only up to `limit` bytes.
    mutating func takePortion(into bytes: inout [UInt8], atMost limit: Int = .max) -> Ticket? {
        guard let lanes else { return nil }
        if lanes.control.count == 0, lanes.messages.count > 0 {
            takeMessages(
                from: &lanes.messages,
                into: &bytes,
                atMost: min(limit, Self.maximumPortion)
            )
            let messages = lanes.messages
            return Ticket(lane: .messages, end: messages.end - UInt64(messages.count))
        }
        return takeControl(into: &bytes, evenClose: true)
    }

    /// As above, where only control frames may leave, and the close frame behind the others if it may.
    mutating func takeControl(into bytes: inout [UInt8], evenClose: Bool) -> Ticket? {
        guard let lanes else { return nil }
        if lanes.control.count > 0 {
            Self.takeAll(&lanes.control, into: &bytes)
            return Ticket(lane: .control, end: lanes.control.end)
        }
        guard evenClose, lanes.close.count > 0 else { return nil }
        Self.takeAll(&lanes.close, into: &bytes)
        return Ticket(lane: .close, end: lanes.close.end)
    }

    private func takeMessages(
        from messages: inout Frames,
        into bytes: inout [UInt8],
        atMost limit: Int
    ) {
        guard messages.count > limit else {
            return Self.takeAll(&messages, into: &bytes)
        }
        let isMasked = masks
        let start = messages.start
        let end = messages.bytes.withUnsafeBytes { all in
            var end = start
            while let frame = FrameHeader.measure(all, at: end, isMasked: isMasked) {
                // One frame at least, whatever its length.
                guard end == start || end + frame.length - start <= limit else {
                    break
                }
                end += frame.length
            }
            bytes.append(contentsOf: all[start..<end])
            return end
        }
        messages.start = end
    }

    /// Swaps the arrays where possible, so that their storage is reused.
    private static func takeAll(_ frames: inout Frames, into bytes: inout [UInt8]) {
        if frames.start == 0 {
            swap(&frames.bytes, &bytes)
        } else {
            bytes.append(contentsOf: frames.bytes[frames.start...])
            frames.bytes.removeAll(keepingCapacity: frames.bytes.capacity <= keptCapacity)
            frames.start = 0
        }
    }

    private func count(_ frame: OutgoingFrame, in lanes: Lanes) {
        let payload = frame.payload.count
        let length = FrameHeader.frameLength(payload: payload, isMasked: masks)
        lanes.tally.count(frame, header: length - payload)
    }

    private static func encode(
        _ frame: OutgoingFrame,
        _ maskingKey: UInt32?,
        into frames: inout Frames
    ) {
        let header = FrameHeader(
            isFinal: frame.isFinal,
            reservedBits: frame.reservedBits,
            opcode: frame.opcode,
            maskingKey: maskingKey,
            payloadLength: frame.payload.count
        )
        let payload = frame.payload
        let before = frames.bytes.count
        frames.bytes.append(addingCapacity: FrameHeader.maximumLength + payload.count) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                guard let base = buffer.baseAddress else { return }
                let start = UnsafeMutableRawPointer(base + count)
                let length = header.encode(into: start)
                Kernels.copyMasked(from: payload, to: start + length, key: header.maskingKey ?? 0)
                count += length + payload.count
            }
        }
        frames.end += UInt64(frames.bytes.count - before)
    }
}
