import WebSocketProtocol

/// The messages of a task's batch that only had to be masked, in a buffer of their own. The sender takes
/// all of them at once.
///
/// `finish()` has to be called before it is released.
struct EncodedMessages: ~Copyable {
    private let connection: Connection
    private let sender: Sender
    private var encoder: FrameEncoder
    private(set) var count = 0

    init(for connection: Connection) {
        self.connection = connection
        sender = connection.sender
        encoder = sender.batchEncoder()
    }

    /// Encodes a message; false if it has to be compressed, or the buffer has no room for it.
    @inline(__always)
    mutating func append(_ frame: OutgoingFrame) throws(WebSocketError) -> Bool {
        guard !frame.needsCompression(from: encoder.compressionThreshold),
            sender.fits(frame, behind: encoder.count)
        else { return false }
        do throws(SendFailure) {
            guard try encoder.encodeWhole(frame) else { return false }
        } catch {
            throw connection.sendError(error)
        }
        if Tracing.isEnabled { sender.log.sent(frame) }
        count += 1
        return true
    }

    /// Hands the messages to the sender of the socket's connection, if that takes no waiting.
    mutating func attemptSend(
        by sender: Sender,
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        try sender.attemptSend(encoded: &encoder, knocking: slot, limit: limit)
    }

    /// How many messages have gone out or will; those are no longer counted.
    mutating func takeAccepted() -> Int {
        let left = encoder.countUnwrittenMessages()
        defer { count = left }
        return count - left
    }

    /// Gives the buffer back.
    mutating func finish() { encoder.giveBackIfEmpty() }
}
