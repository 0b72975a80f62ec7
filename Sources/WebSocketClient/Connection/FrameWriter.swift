import WebSocketProtocol

/// Collects the frames of a batch in a buffer of its own and writes them with as few calls as the buffer
/// allows. It holds the turn only while it writes, so a batch whose body waits holds up nobody.
///
/// `finish()` has to be called before it is released.
struct FrameWriter: ~Copyable {
    private let sender: Sender
    private var encoder: FrameEncoder
    private var deadline: LazyDeadline
    /// The right to send fragments, or the compressor, which is then in `encoder`.
    private var reservation: MessageReservation?
    private let isMessage: Bool
    private var hasCompressor = false
    /// The messages that are compressed side by side, where that was agreed.
    private var pipeline: DeflatePipeline?
    /// The last write failed: another try would only fail again, or break the limit.
    private var hasFailed = false

    init(
        sender: Sender,
        timeout: Duration?,
        encoder: consuming FrameEncoder,
        reservation: consuming MessageReservation?
    ) {
        self.sender = sender
        self.encoder = encoder
        deadline = LazyDeadline(timeout)
        if let workers = sender.workers { pipeline = DeflatePipeline(workers) }
        isMessage = reservation != nil
        self.reservation = reservation
    }

    /// How many of the batch's messages are still being compressed.
    private var pendingCount: Int { pipeline?.count ?? 0 }

    mutating func append(_ frame: OutgoingFrame) throws(SendFailure) {
        if pipeline != nil, try appendToPipeline(frame) { return }
        try encode(frame)
    }

    private mutating func encode(_ frame: OutgoingFrame) throws(SendFailure) {
        if !hasCompressor, frame.needsCompression(from: encoder.compressionThreshold) {
            try takeCompressor()
        }
        // Where it is too long for a batch, the sender logs what it makes of it.
        if Tracing.isEnabled, sender.fits(frame, behind: 0) { sender.log.sent(frame) }
        if sender.fits(frame, behind: encoder.count), try encoder.encodeWhole(frame) { return }
        deadline.restart()
        try write(then: frame)
    }

    private mutating func write(then frame: OutgoingFrame?) throws(SendFailure) {
        do throws(SendFailure) {
            try sender.write(&encoder, then: frame, ownsStream: isMessage, &deadline)
            hasFailed = false
        } catch {
            switch error {
            case .transport, .closing, .reentrant: hasFailed = true
            case .invalidUTF8, .compression: break
            }
            throw error
        }
    }

    /// Messages that this batch compresses refer to those before them, so nobody else may compress
    /// until those have been written.
    private mutating func takeCompressor() throws(SendFailure) {
        if !isMessage {
            deadline.restart()
            reservation = try sender.reserve(.compressor, &deadline)
        }
        sender.exchangeDeflater(with: &encoder)
        hasCompressor = true
    }

    /// False for a frame that isn't for the pipeline; then that is empty.
    private mutating func appendToPipeline(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        let needsCompression = frame.needsCompression(from: encoder.compressionThreshold)
        guard pipeline?.takes(frame, needsCompression: needsCompression) == true else {
            while pendingCount > 0 { try sendOldest() }
            return false
        }
        if frame.needsUTF8Check { try OutgoingFrame.check(frame.payload) }
        while pipeline?.isFull == true { try sendOldest() }
        pipeline?.add(frame, needsCompression: needsCompression)
        return true
    }

    private mutating func sendOldest() throws(SendFailure) {
        // Taken out of `self`, which encoding changes; nobody looks at it meanwhile.
        guard var pipeline = pipeline.take() else { return }
        defer { self.pipeline = pipeline }
        deadline.restart()
        var limit = deadline
        try pipeline.sendOldest(&limit) { (frame, _) throws(SendFailure) in try encode(frame) }
    }

    /// Sends what has been collected so far.
    mutating func flush() throws(SendFailure) {
        while pendingCount > 0 { try sendOldest() }
        deadline.restart()
        try write(then: nil)
    }

    /// Ends the batch after an error: the messages before it go out, unless writing has failed.
    /// Returns how many messages that the batch has taken will not go out.
    mutating func abandon() -> Int {
        var lost = pendingCount
        if lost > 0 { sender.workers?.withdraw() }
        if !hasFailed, encoder.count > 0 {
            deadline.restart()
            try? write(then: nil)
        }
        lost += encoder.countUnwrittenMessages()
        // The batch was the last to leave any.
        if encoder.leftMessages > 0 {
            lost += min(encoder.leftMessages, sender.countLostMessages())
        }
        encoder.discard()
        return lost
    }

    /// Gives back everything it holds.
    mutating func finish() {
        if hasCompressor { sender.exchangeDeflater(with: &encoder) }
        hasCompressor = false
        reservation = nil
        encoder.giveBackIfEmpty()
    }
}
