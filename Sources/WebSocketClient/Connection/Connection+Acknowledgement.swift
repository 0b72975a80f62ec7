import Synchronization
import WebSocketProtocol

// How far the peer's system has acknowledged what was sent, and the wait for that.
//
// 1. A position counts frames' bytes as the stream takes them, and the stream never reports more
//    acknowledged bytes than there are. Both stay known after the connection's end, as long as this
//    object lives: the kernel's count stays where it was when the connection was lost.
// 2. The system doesn't report acknowledgements, so a wait polls: first after 1 ms, then less and less
//    often, down to every 20 ms. It holds no turn, and the end of the connection ends it at once.
// 3. Acknowledgements are checked last: those that arrived before the end still count.
extension Sender {
    /// Sends one frame, and says where it ends: `position` is set once the frame has been accepted,
    /// even if the call throws later.
    ///
    /// Unlike `send(_:timeout:)`, it never leaves the frame to another thread: control frames may
    /// overtake frames in the queue, so their positions aren't known.
    func send(
        _ frame: OutgoingFrame,
        timeout: Duration?,
        endingAt position: inout StreamPosition?
    ) throws(SendFailure) {
        if let workers, frame.payload.count <= DeflateWorkers.maximumMessage,
            frame.needsCompression(from: compressionThreshold)
        {
            if frame.needsUTF8Check { try OutgoingFrame.check(frame.payload) }
            var end: StreamPosition?
            defer { position = end }
            return try workers.withCompressed(frame) { (frame) throws(SendFailure) in
                try send(frame, timeout: timeout, endingAt: &end)
            }
        }
        var deadline = LazyDeadline(timeout)
        try takeTurn(&deadline)
        if try sendInTurn(frame, endingAt: &position, &deadline) { return }
        // Another message is under way in fragments.
        while true {
            try take(messages, &deadline)
            defer { messages.leave() }
            try takeTurn(&deadline)
            if try sendInTurn(frame, endingAt: &position, &deadline) { return }
        }
    }

    /// Writes all that has been accepted; returns where it ends.
    func writeAccepted(_ deadline: inout LazyDeadline) throws(SendFailure) -> StreamPosition {
        try takeTurn(&deadline)
        defer { leave(&deadline) }
        // Everything has been written, even if nothing more can be sent.
        guard holdsAccepted else { return position }
        try begin(&deadline)
        return position
    }

    /// As above, as far as possible without waiting.
    func attemptWritingAccepted(
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = limit.withoutWaiting()
        defer { leave(&now) }
        guard holdsAccepted else { return .got(position) }
        do throws(SendFailure) {
            try begin(&now)
        } catch {
            return try tryLater(after: error)
        }
        return .got(position)
    }

    /// Whether bytes have been accepted and not written, perhaps never to be. In turn only.
    private var holdsAccepted: Bool {
        outbox.value.heldCount > 0 || queuedBytes.load(ordering: .relaxed) > 0
            || outbox.value.isOvertaken
    }

    /// How far the peer's system has acknowledged the stream, at least; `nil` where that can't be
    /// known.
    var acknowledgedPosition: StreamPosition? {
        guard let count = stream.acknowledgedBytes else { return nil }
        // Asked for afterwards, so that what is inserted meanwhile counts as acknowledged.
        let others = bytesBeforeFrames &+ ledger.insertedBytes
        ledger.acknowledge(count - min(count, others))
        return ledger.acknowledgedBytes
    }
}

extension Connection {
    /// The value of ``WebSocket/acknowledged`` for this connection.
    var acknowledged: SendReceipt {
        receipt(sender.acknowledgedPosition ?? 0)
    }

    func receipt(_ position: StreamPosition) -> SendReceipt {
        SendReceipt(position: position, connection: number)
    }

    /// Sends a frame; `position` is set once it has been accepted, even if the call throws later.
    func send(
        _ frame: OutgoingFrame,
        timeout: Duration?,
        endingAt position: inout StreamPosition?
    ) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.send(frame, timeout: timeout, endingAt: &position)
        } catch {
            throw sendError(error)
        }
    }

    /// Writes all that has been accepted; returns where it ends.
    func flush(_ deadline: inout LazyDeadline) throws(WebSocketError) -> StreamPosition {
        do throws(SendFailure) {
            return try sender.writeAccepted(&deadline)
        } catch {
            throw sendError(error)
        }
    }

    /// Blocks until everything up to `position` has been acknowledged.
    func waitUntilAcknowledged(
        _ position: StreamPosition,
        timeout: Duration?
    ) throws(WebSocketError) {
        if try hasAcknowledged(position) { return }
        var limit = LazyDeadline(until: Deadline(timeout))
        if !sender.hasWritten(position) {
            do throws(WebSocketError) {
                _ = try flush(&limit)
            } catch {
                throw acknowledgementError(error)
            }
        }
        let pause = AcknowledgementPause()
        try sender.whenEnded(call: { pause.end() }) { () throws(WebSocketError) in
            while true {
                if try hasAcknowledged(position) { return }
                if limit.value.isPast { throw .timedOut(.acknowledgement) }
                pause.wait(until: limit.value)
            }
        }
    }

    /// As above, while the task sleeps.
    func acknowledging(_ position: StreamPosition, timeout: Duration?) async throws {
        if Task.isCancelled { throw CancellationError() }
        if try hasAcknowledged(position) { return }
        let deadline = Deadline(timeout)
        if !sender.hasWritten(position) {
            do {
                try await sending(timeout: timeout) { (slot, limit) throws(SendFailure) in
                    try sender.attemptWritingAccepted(knocking: slot, limit: limit)
                }
            } catch WebSocketError.cancelled {
                throw CancellationError()
            } catch let error as WebSocketError {
                throw acknowledgementError(error)
            }
        }
        let reactor: Reactor
        do throws(TransportError) {
            reactor = try Reactor.shared()
        } catch {
            throw WebSocketError(error, during: .acknowledgement)
        }
        let slot = WaitSlot()
        let number = sender.whenEnded { slot.knock() }
        defer { sender.forgetEnd(number) }
        try await withTaskCancellationHandler {
            var length = AcknowledgementPause.shortest
            while true {
                if try hasAcknowledged(position) { return }
                if Task.isCancelled { throw CancellationError() }
                if deadline.isPast { throw WebSocketError.timedOut(.acknowledgement) }
                await slot.wait(for: [], until: .after(length).earlier(deadline), on: reactor)
                length = AcknowledgementPause.next(after: length)
            }
        } onCancel: {
            slot.knock()
        }
    }

    /// Throws if waiting is of no use.
    private func hasAcknowledged(_ position: StreamPosition) throws(WebSocketError) -> Bool {
        let end = end
        let isLost = end != nil || isGivenUp
        guard let acknowledged = sender.acknowledgedPosition else {
            throw .invalidArgument("Acknowledgements are known only for TCP connections.")
        }
        if acknowledged >= position { return true }
        if let end { throw end }
        if isLost {
            throw lostWhileSending(cause: "the system gave up before everything was acknowledged")
        }
        return false
    }

    /// Whether the system has given up the connection. As long as this end hasn't ended it, that is the
    /// only event that poll(2) reports unasked.
    private var isGivenUp: Bool {
        var entries = [PollEntry(stream.descriptor, for: [])]
        return (try? Poll.wait(for: &entries, wakeUp: nil, until: .after(.zero))) == true
    }

    private func acknowledgementError(_ error: WebSocketError) -> WebSocketError {
        if case .timedOut = error { .timedOut(.acknowledgement) } else { error }
    }
}

/// The pauses of a blocking wait, each longer than the one before.
private final class AcknowledgementPause: @unchecked Sendable {
    // Safe to send: `hasEnded` is touched under the queue's mutex, `length` by the one thread that waits.
    static let shortest = Duration.milliseconds(1)
    private static let longest = Duration.milliseconds(20)

    private let queue = WaitQueue()
    private var hasEnded = false
    private var length = AcknowledgementPause.shortest

    static func next(after length: Duration) -> Duration { min(length * 2, longest) }

    /// Waits for the next pause, but not beyond `deadline` or the end.
    func wait(until deadline: Deadline) {
        let limit = Deadline.after(length).earlier(deadline)
        length = Self.next(after: length)
        queue.enter()
        defer { queue.leave() }
        while !hasEnded, queue.wait(until: limit) {}
    }

    /// Ends this pause and all later ones.
    func end() {
        queue.enter()
        hasEnded = true
        queue.signalAll()
        queue.leave()
    }
}
