import Synchronization
import WebSocketProtocol

/// A position in the bytes that a stream takes; see ``Sender/writtenBytes``.
typealias StreamPosition = UInt64

// Sending without waiting: a frame is either accepted, or it isn't and has left no trace. What the
// stream doesn't take is held, and goes out before anything else. `limit` is the call's; it is only
// compared with the clock.
extension Sender {
    /// Accepts one frame, if that takes no waiting; returns where it ends. If another thread holds the
    /// turn, knocks at `slot` when it becomes free.
    func attemptSend(
        _ frame: OutgoingFrame,
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        var accepted = 0
        return try attemptSend(from: &accepted, to: 1, knocking: slot, limit: limit) { _ in frame }
    }

    /// Accepts frames by number, as many as it can without waiting; done when all are accepted.
    func attemptSend(
        from accepted: inout Int,
        to count: Int,
        by owner: FragmentReservation? = nil,
        knocking slot: WaitSlot?,
        limit: LazyDeadline,
        frame: (Int) -> OutgoingFrame
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = limit.withoutWaiting()
        if cork != nil, accepted + 1 == count {
            do throws(SendFailure) {
                if try corkInTurn(frame(accepted), &now) {
                    accepted += 1
                    let position = position
                    leaveCorked(&now)
                    return .got(position)
                }
            } catch {
                // The buffer is full and so is the stream: the next attempt says what to wait for.
                guard case .transport(.timedOut, _) = error else { throw error }
                return .again
            }
        }
        defer { leave(&now) }
        guard accepted < count else { return .got(position) }
        guard mayPass(frame(accepted), from: owner) else { return passLater(slot) }
        do throws(SendFailure) {
            try begin(&now)
            while accepted < count {
                let next = frame(accepted)
                // While a batch compresses, only uncompressed messages may pass.
                guard mayPass(next, from: owner) else { break }
                do throws(SendFailure) {
                    try append(next, &now)
                } catch {
                    if case .transport(_, isAccepted: true) = error { accepted += 1 }
                    throw error
                }
                accepted += 1
            }
            do throws(TransportError) {
                try flush(&now)
            } catch {
                throw .transport(error, isAccepted: true)
            }
        } catch {
            guard case .transport(.timedOut, _) = error else { throw error }
        }
        guard accepted < count else { return .got(position) }
        return mayPass(frame(accepted), from: owner) ? try tryLater() : passLater(slot)
    }

    /// Accepts the messages that a batch has encoded, all of them or none.
    func attemptSend(
        encoded encoder: inout FrameEncoder,
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = limit.withoutWaiting()
        defer { leave(&now) }
        if case .message = outbox.value.reservation { return passLater(slot) }
        do throws(SendFailure) {
            try begin(&now)
        } catch {
            return try tryLater(after: error)
        }
        count(&encoder)
        do throws(TransportError) {
            try flushOrHold(&encoder, &now)
        } catch {
            guard case .timedOut = error else { throw .transport(error, isAccepted: false) }
        }
        return .got(position)
    }

    /// Calls `callback` once the reservation that keeps others from sending ends; true if there is
    /// none.
    func callBackUnlessFree(_ callback: @escaping @Sendable () -> Void) -> Bool {
        guard turn.take(orCallBack: callback) else { return false }
        var now = LazyDeadline.immediate
        leave(&now)
        guard messages.take(orCallBack: callback) else { return false }
        messages.leave()
        return true
    }

    /// Accepts a binary message from its own memory, which is used up.
    func attemptSend(
        consuming message: inout [UInt8],
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<StreamPosition> {
        guard sendsInPlace(message.count) else {
            let result = message.withUnsafeBytes { bytes in
                Result { () throws(SendFailure) in
                    let frame = OutgoingFrame(opcode: .binary, payload: bytes)
                    return try attemptSend(frame, knocking: slot, limit: limit)
                }
            }
            return try result.get()
        }
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = limit.withoutWaiting()
        defer { leave(&now) }
        let header = OutgoingFrame(
            opcode: .binary,
            payload: UnsafeRawBufferPointer(start: nil, count: 0)
        )
        guard mayPass(header) else { return passLater(slot) }
        do throws(SendFailure) {
            try begin(&now)
        } catch {
            return try tryLater(after: error)
        }
        var taken: [UInt8] = []
        swap(&taken, &message)
        do throws(SendFailure) {
            try sendInPlace(taken, &now)
        } catch {
            guard case .transport(.timedOut, isAccepted: true) = error else { throw error }
        }
        return .got(position)
    }

    /// Accepts a control frame, whoever holds the turn; false while too many of them wait.
    func attemptControl(_ frame: OutgoingFrame) throws(SendFailure) -> Bool {
        guard try enqueue(frame) != nil else { return false }
        flushWithoutWaiting()
        return true
    }

    /// Writes once what is held; done when everything up to `position` has been written.
    func attemptWriting(
        upTo position: StreamPosition,
        knocking slot: WaitSlot
    ) throws(SendFailure) -> Attempt<Void> {
        if hasWritten(position) { return .got(()) }
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = Self.portion
        defer { leave(&now) }
        let attempt: Attempt<Void> = try tryLater()
        if hasWritten(position) { return .got(()) }
        // A close frame has overtaken the message.
        if outbox.value.isShut, outbox.value.heldCount == 0 { throw whyShut }
        return attempt
    }

    /// Whether the stream has taken everything up to a position.
    func hasWritten(_ position: StreamPosition) -> Bool {
        Int64(bitPattern: writtenBytes &- position) >= 0
    }

    /// Writes what is held if nobody is about to, until the stream is full or has taken all of it, but for
    /// 10 ms at most: for the reactor, which `leave` asks to go on if time was up first.
    func writeRest() {
        guard needsWriting, turn.tryTake() else { return }
        var now = Self.portion
        leave(&now)
    }

    /// How long one task's bytes may keep others from being written.
    static var portion: LazyDeadline {
        LazyDeadline(until: .after(.milliseconds(10))).withoutWaiting()
    }

    /// The end of everything that has been accepted. In turn only.
    var position: StreamPosition { writtenBytes &+ UInt64(outbox.value.heldCount) }

    /// Writes once, to find out what to wait for before another attempt. In turn only.
    func tryLater<Value>() throws(SendFailure) -> Attempt<Value> {
        do throws(TransportError) {
            switch try step() {
            case .done, .goOn: return .again
            // Over TLS, a writer may have to wait for input.
            case .wait(let interest):
                traffic.sendWaits.wrappingAdd(1, ordering: .relaxed)
                return .wait(stream.isSecure ? [.read, .write] : interest)
            }
        } catch {
            throw .transport(error, isAccepted: true)
        }
    }

    /// As above, if what was tried only lacked time, of which an attempt has none; throws any other error.
    func tryLater<Value>(after error: SendFailure) throws(SendFailure) -> Attempt<Value> {
        guard case .transport(.timedOut, _) = error else { throw error }
        return try tryLater()
    }

    /// Another message is under way in fragments, and no message may come between them.
    private func passLater<Value>(_ slot: WaitSlot?) -> Attempt<Value> {
        guard messages.tryTake(orKnock: slot) else { return .wait([]) }
        messages.leave()
        return .again
    }
}
