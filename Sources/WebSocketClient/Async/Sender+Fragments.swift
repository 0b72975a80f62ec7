import WebSocketProtocol

/// The right to send the fragments of one message (RFC 6455 §5.4), for a holder that isn't bound to a
/// thread: a task, or an app that replays messages.
///
/// It has to be given back with ``Sender/attemptEnd(_:knocking:)`` before it is released.
final class FragmentReservation: Sendable {
    /// A number that no thread has, as both numbers are addresses of living objects.
    var number: UInt { UInt(bitPattern: ObjectIdentifier(self)) }
}

extension Sender {
    /// Reserves the stream when no other message is under way and what has been accepted is written.
    func attemptReservation(
        _ reservation: FragmentReservation,
        knocking slot: WaitSlot?,
        limit: LazyDeadline
    ) throws(SendFailure) -> Attempt<Void> {
        guard messages.tryTake(as: reservation.number, orKnock: slot) else { return .wait([]) }
        var isReserved = false
        defer { if !isReserved { messages.leave() } }
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        var now = limit.withoutWaiting()
        defer { leave(&now) }
        // From here on none is accepted, and those that were go out first.
        refuseMessages(true)
        defer { if !isReserved { refuseMessages(false) } }
        do throws(SendFailure) {
            try begin(&now)
        } catch {
            return try tryLater(after: error)
        }
        outbox.value.reservation = .message(hasBegun: false)
        isReserved = true
        return .got(())
    }

    /// Gives the stream back to all others.
    func attemptEnd(
        _ reservation: FragmentReservation,
        knocking slot: WaitSlot?
    ) -> Attempt<Void> {
        guard turn.tryTake(orKnock: slot) else { return .wait([]) }
        refuseMessages(false)
        outbox.value.reservation = .none
        var now = LazyDeadline.immediate
        leave(&now)
        messages.leave()
        return .got(())
    }
}
