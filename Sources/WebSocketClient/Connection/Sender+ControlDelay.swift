import Synchronization
import WebSocketProtocol

// Large messages in fragments, so that control frames needn't wait for their end; see `ControlDelay`.
//
// 1. A message is cut only if it is longer than what may go out at once. The thread that has the turn encodes a
//    fragment and writes it, and control frames that have queued before its first byte has left go first
//    (RFC 6455 §5.4).
// 2. A fragment fits into the buffer, so that all that is in the outbox, but for the rest of the message, is
//    whole frames. What a time-out leaves of a message is kept as it is and framed when it leaves, by
//    whoever writes: the rate may have changed by then, and control frames may pass.
// 3. A close frame passes too. No fragment may follow it (§5.5.1), so the message remains incomplete: its call
//    fails as on a closed connection. If that has returned, as time had run out, the end of the connection says
//    that the message was lost, and so it is with a batch that was left behind it.
// 4. Nothing else may be lost in that way: no message is left in the queue while another one is cut, and those
//    that are there already go out first.
extension Sender {
    /// Larger fragments wouldn't fit into a buffer, and gain nothing.
    private static let maximumFragment = 256 << 10

    /// Whether a frame may be encoded behind `count` bytes that go out with it.
    @inline(__always)
    func fits(_ frame: OutgoingFrame, behind count: Int) -> Bool {
        guard let controlDelay else { return true }
        return count + frame.payload.count <= controlDelay.size
    }

    /// Whether a message goes out in fragments of its own payload.
    func isCut(_ frame: OutgoingFrame) -> Bool {
        guard let controlDelay, frame.payload.count > controlDelay.size else { return false }
        // What other reserved bits mean, and whether a message with them may be cut, isn't known (§5.4).
        return !frame.opcode.isControl && frame.reservedBits & 3 == 0
            && !frame.needsCompression(from: compressionThreshold)
    }

    /// Encodes a frame behind what is held, or its fragments, with no more before it than may go out with it.
    func appendBounded(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if fits(frame, behind: 0) {
            if !fits(frame, behind: outbox.value.heldCount) {
                do throws(TransportError) {
                    try flush(&deadline)
                } catch {
                    throw .transport(error, isAccepted: false)
                }
            }
            return try appendWhole(frame, &deadline)
        }
        let isCut = isCut(frame)
        if isCut, frame.needsUTF8Check { try OutgoingFrame.check(frame.payload) }
        try beginCutting(&deadline)
        defer { endCutting() }
        if isCut {
            try appendInFragments(frame, &deadline)
        } else {
            // What is compressed is cut as well, by the encoder.
            try appendWhole(frame, &deadline)
        }
    }

    /// From here on a close frame passes whatever is accepted; so what has been accepted goes out first.
    private func beginCutting(_ deadline: inout LazyDeadline) throws(SendFailure) {
        awaitCutMessage(true)
        do throws(SendFailure) {
            try begin(&deadline)
        } catch {
            endCutting()
            throw error
        }
        outbox.value.isCutting = true
    }

    private func endCutting() {
        outbox.value.isCutting = false
        awaitCutMessage(outbox.value.hasCutMessage)
    }

    /// Encodes a message in fragments, and writes all but the last. Nothing is held before.
    private func appendInFragments(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        var sent = 0
        do throws(SendFailure) {
            try appendFragments(of: frame, from: &sent, &deadline)
        } catch {
            if case .transport(.timedOut, isAccepted: true) = error {
                outbox.value.keep(CutMessage(frame, from: sent))
            }
            throw error
        }
    }

    /// The same for a binary message that was handed over, whose memory is kept if time runs out; the last fragment
    /// is written as well.
    func sendInFragments(
        _ bytes: consuming [UInt8],
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        var sent = 0
        try beginCutting(&deadline)
        let result = bytes.withUnsafeBytes { payload in
            Result { () throws(SendFailure) in
                let frame = OutgoingFrame(opcode: .binary, payload: payload)
                try appendFragments(of: frame, from: &sent, &deadline)
            }
        }
        if case .failure(.transport(.timedOut, isAccepted: true)) = result {
            outbox.value.keep(CutMessage(bytes, from: sent))
        }
        endCutting()
        try result.get()
        do throws(TransportError) {
            try flush(&deadline)
        } catch {
            throw .transport(error, isAccepted: true)
        }
    }

    /// `sent` is how much of the payload has been encoded.
    private func appendFragments(
        of frame: OutgoingFrame,
        from sent: inout Int,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        while true {
            let fragment = frame.fragment(from: sent, atMost: nextFragmentSize())
            do throws(SendFailure) {
                try encodeFragment(fragment, into: &outbox.value.encoder)
            } catch {
                // Without a masking key, what has begun can't go on.
                throw sent == 0 ? error : .transport(fail(error.cause), isAccepted: false)
            }
            if sent == 0, frame.uncompressedCount > 0 {
                outbox.value.encoder.tally.expand(
                    frame.payload.count,
                    to: frame.uncompressedCount
                )
            }
            sent += fragment.payload.count
            if sent == frame.payload.count { return }
            do throws(TransportError) {
                try flush(&deadline)
                try look(at: &deadline)
            } catch {
                throw .transport(error, isAccepted: !outbox.value.isOvertaken)
            }
            if outbox.value.isOvertaken { throw .closing }
        }
    }

    private func nextFragmentSize() -> Int {
        controlDelay?.measure(stream)
        return min(controlDelay?.size ?? .max, Self.maximumFragment)
    }

    /// Encodes a fragment into the buffer, which is empty, so that it fits.
    private func encodeFragment(
        _ fragment: OutgoingFrame,
        into encoder: inout FrameEncoder
    ) throws(SendFailure) {
        if Tracing.isEnabled { log.sent(fragment) }
        _ = try encoder.encodeWhole(fragment)
    }

    /// Puts control frames before what is held, as long as nothing of that has been written; or else encodes the
    /// next fragment of a message whose rest is kept.
    func prepareStep() throws(TransportError) {
        guard outbox.value.isBetweenFrames, !takeOverControl(), outbox.value.isBetweenFragments
        else { return }
        do throws(SendFailure) {
            try outbox.value.encodeFragment(atMost: nextFragmentSize()) {
                (fragment, encoder) throws(SendFailure) in
                try encodeFragment(fragment, into: &encoder)
            }
            if !outbox.value.hasCutMessage { awaitCutMessage(false) }
        } catch {
            throw fail(error.cause)
        }
    }
}

/// What is left of a message that is being sent in fragments.
struct CutMessage {
    private let bytes: [UInt8]
    private var start: Int
    /// Whether the message ends with it.
    private let isFinal: Bool

    /// The rest of a message from its own memory.
    init(_ bytes: consuming [UInt8], from start: Int = 0, isFinal: Bool = true) {
        self.bytes = bytes
        self.start = start
        self.isFinal = isFinal
    }

    /// A copy of the rest of a message.
    init(_ frame: OutgoingFrame, from start: Int) {
        self.init(Array(frame.payload[start...]), isFinal: frame.isFinal)
    }

    var count: Int { bytes.count - start }

    /// Lends the next fragment, and is less by that afterwards.
    mutating func takeFragment(
        atMost size: Int,
        _ body: (OutgoingFrame) throws(SendFailure) -> Void
    ) throws(SendFailure) {
        let start = start
        let isFinal = isFinal
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(SendFailure) in
                var rest = OutgoingFrame(opcode: .continuation, payload: bytes)
                rest.isFinal = isFinal
                let fragment = rest.fragment(from: start, atMost: size)
                try body(fragment)
                return fragment.payload.count
            }
        }
        self.start += try result.get()
    }
}

extension OutgoingFrame {
    /// The fragment of at most `size` bytes that begins at `start`. Only the first says what the message is
    /// (RFC 6455 §5.4), and whether it is compressed (RFC 7692 §6.1).
    func fragment(from start: Int, atMost size: Int) -> OutgoingFrame {
        let end = start + min(size, payload.count - start)
        var fragment = self
        fragment.payload = UnsafeRawBufferPointer(rebasing: payload[start..<end])
        fragment.isFinal = isFinal && end == payload.count
        fragment.needsUTF8Check = false
        fragment.compression = .never
        fragment.uncompressedCount = 0
        if start > 0 {
            fragment.opcode = .continuation
            fragment.reservedBits = 0
        }
        return fragment
    }
}

extension SendFailure {
    /// Why a fragment without text to check could not be encoded.
    fileprivate var cause: TransportError {
        if case .transport(let cause, _) = self { cause } else { .aborted }
    }
}
