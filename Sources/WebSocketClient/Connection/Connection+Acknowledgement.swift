import Synchronization
import WebSocketProtocol

// How far the peer's system has acknowledged what was sent, and the wait for that.
//
// 1. A position counts frames' bytes as the stream takes them, and what the stream says of acknowledged bytes
//    is never too much. Both outlive the connection's end, as long as this object lives: the kernel's
//    count stays where it was when the connection was lost.
// 2. No report comes when bytes are acknowledged, so a wait asks, at first after 1 ms and then less and less
//    often, up to every 20 ms. It holds no turn, and the end of the connection ends it at once.
// 3. Whether something has been acknowledged is looked at last: what arrived before the end still counts.
extension Sender {
    /// Sends one frame, and says where it ends: `position` is set once the frame has been accepted, even
    /// if the call throws then.
    ///
    /// Unlike `send(_:timeout:)`, it never leaves the frame to another thread, as control frames may pass
    /// what is left in the queue, and where it ends would not be known.
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
        // Done, even if nothing can be sent any more.
        guard holdsAccepted else { return position }
        try begin(&deadline)
        return position
    }

    /// The same as far as that goes without waiting.
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
            guard case .transport(.timedOut, _) = error else { throw error }
            return try tryLater()
        }
        return .got(position)
    }

    /// Whether something is accepted and not written. In turn only.
    private var holdsAccepted: Bool {
        outbox.value.heldCount > 0 || queuedBytes.load(ordering: .relaxed) > 0
    }

    /// How far the peer's system has acknowledged, at least; `nil` where the stream can't tell.
    var acknowledgedPosition: StreamPosition? {
        guard let count = stream.acknowledgedBytes else { return nil }
        ledger.acknowledge(count - min(count, bytesBeforeFrames))
        return ledger.acknowledgedBytes
    }
}

extension Connection {
    /// What ``WebSocket/acknowledged`` says of this connection.
    var acknowledged: SendReceipt {
        receipt(sender.acknowledgedPosition ?? 0)
    }

    func receipt(_ position: StreamPosition) -> SendReceipt {
        SendReceipt(position: position, connection: number)
    }

    /// Sends a frame; `position` is set once it has been accepted, even if the call throws then.
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

    /// The same while the task sleeps.
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

    /// Throws once waiting is of no use.
    private func hasAcknowledged(_ position: StreamPosition) throws(WebSocketError) -> Bool {
        let end = end
        let isLost = end != nil || isGivenUp
        guard let acknowledged = sender.acknowledgedPosition else {
            throw .invalidArgument("Only a TCP connection says what has been acknowledged.")
        }
        if acknowledged >= position { return true }
        if let end { throw end }
        if isLost {
            throw lostWhileSending(cause: "the system gave it up before all was acknowledged")
        }
        return false
    }

    /// Whether the system has given the connection up. While this end hasn't ended it, that is the one
    /// thing that poll(2) reports unasked.
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

    /// Waits for the length of the next pause, but not beyond `deadline` or the end.
    func wait(until deadline: Deadline) {
        let limit = Deadline.after(length).earlier(deadline)
        length = Self.next(after: length)
        queue.enter()
        defer { queue.leave() }
        while !hasEnded, queue.wait(until: limit) {}
    }

    /// Ends the pause, and those to come.
    func end() {
        queue.enter()
        hasEnded = true
        queue.signalAll()
        queue.leave()
    }
}
