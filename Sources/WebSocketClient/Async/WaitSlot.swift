import Synchronization

/// Where one task at a time sleeps until something happens: readiness, or a knock.
///
/// Rules:
///
/// * Events that come while nobody sleeps are kept, each kind once, and end the next wait for them at
///   once. So "try, would block, wait" misses nothing, and a wait may end for nothing: a task that
///   wakes tries again.
/// * The end of a direction is kept for good: waiting for that direction ends at once, as trying finds
///   the end. For a change is reported only once: a reader that got less than it asked for, because the
///   end came together with the data, would otherwise wait forever.
/// * A knock ends every wait. It stands for everything but readiness: cancellation, a time-out, a turn
///   that has become free, the end.
/// * One task waits at a time; anybody may report or knock, from any thread.
/// * A wait allocates nothing.
final class WaitSlot: @unchecked Sendable {
    // Safe to send: `continuation` is written by the task that is about to wait, before it publishes
    // `isWaiting`, and read by the one thread that takes `isWaiting` away again.
    private let state = Atomic<UInt8>(0)
    private var continuation: UnsafeContinuation<Void, Never>?
    /// The reactor's number of this slot's timer. Touched by the one task that waits.
    private var timer: Int?

    // The meaning of the bits: the events so far, those that the sleeping task waits for, and the ended directions.
    private static let hasKnock: UInt8 = 4
    private static let awaitedShift: UInt8 = 3
    private static let isWaiting: UInt8 = 32
    private static let endedShift: UInt8 = 6
    private static let directions = Interest([.read, .write]).rawValue

    /// Waits for readiness or a knock, whichever comes first or has come already.
    ///
    /// - Parameter interest: What readiness to wait for; the empty set waits only for a knock.
    func wait(for interest: Interest) async {
        await withUnsafeContinuation { continuation in
            self.continuation = continuation
            if !beginWaiting(for: interest) {
                self.continuation = nil
                continuation.resume()
            }
        }
    }

    /// As above, until the deadline at the latest.
    func wait(for interest: Interest, until deadline: Deadline, on reactor: Reactor) async {
        timer = reactor.setDeadline(deadline, for: self, timer: timer)
        await wait(for: interest)
    }

    /// Reports readiness and ended directions; true if that woke a task.
    @discardableResult
    func report(_ ready: Interest, ended: Interest = []) -> Bool {
        happen(ready.union(ended).rawValue | ended.rawValue << Self.endedShift)
    }

    /// Wakes the waiting task, whatever it waits for, or else ends the next wait.
    func knock() { happen(Self.hasKnock) }

    /// What the task that waits here waits for; `nil` if none does.
    var awaited: Interest? {
        let state = state.load(ordering: .relaxed)
        guard state & Self.isWaiting != 0 else { return nil }
        return Interest(rawValue: state >> Self.awaitedShift & Self.directions)
    }

    /// Whether readiness has been reported while nobody waited for it; asking clears it.
    func takeReadiness(_ interest: Interest) -> Bool {
        guard state.load(ordering: .relaxed) & interest.rawValue != 0 else { return false }
        let old = state.bitwiseAnd(~interest.rawValue, ordering: .acquiringAndReleasing).oldValue
        return old & interest.rawValue != 0
    }

    /// Whether a wait would end at once.
    private static func hasHappened(_ interest: Interest, in state: UInt8) -> Bool {
        state & (interest.rawValue | hasKnock) != 0 || state >> endedShift & interest.rawValue != 0
    }

    /// False if an awaited event has happened; that event is then used up.
    private func beginWaiting(for interest: Interest) -> Bool {
        var old = state.load(ordering: .relaxed)
        while true {
            let waits = !Self.hasHappened(interest, in: old)
            let new =
                waits
                ? old | Self.isWaiting | interest.rawValue << Self.awaitedShift
                : old & ~(interest.rawValue | Self.hasKnock)
            if exchange(&old, new) { return waits }
        }
    }

    @discardableResult
    private func happen(_ bits: UInt8) -> Bool {
        var old = state.load(ordering: .relaxed)
        while true {
            let awaited = Interest(rawValue: old >> Self.awaitedShift & Self.directions)
            let wakes = old & Self.isWaiting != 0 && Self.hasHappened(awaited, in: bits)
            var new = old | bits
            if wakes {
                // Events that wake a task are used up.
                let used = awaited.rawValue | Self.hasKnock
                new &= ~(used | Self.isWaiting | Self.directions << Self.awaitedShift)
            }
            if new == old { return false }
            if exchange(&old, new) {
                if wakes { continuation.take()?.resume() }
                return wakes
            }
        }
    }

    private func exchange(_ old: inout UInt8, _ new: UInt8) -> Bool {
        let (exchanged, original) = state.compareExchange(
            expected: old,
            desired: new,
            ordering: .acquiringAndReleasing
        )
        old = original
        return exchanged
    }
}
