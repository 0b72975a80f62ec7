import Synchronization

/// Lets threads wait for something that another thread announces; it stays set until it is reset.
final class Event: Sendable {
    /// 0 not set, 1 set, 2 not set and somebody may be waiting.
    private let state = Atomic<UInt8>(0)
    private let queue = WaitQueue()

    var isSet: Bool { state.load(ordering: .acquiring) == 1 }

    /// Ends all waits, until it is reset.
    func set() {
        guard state.exchange(1, ordering: .acquiringAndReleasing) == 2 else { return }
        queue.enter()
        queue.signalAll()
        queue.leave()
    }

    func reset() {
        _ = state.compareExchange(expected: 1, desired: 0, ordering: .acquiringAndReleasing)
    }

    /// Waits until it is set; false if it wasn't by the deadline.
    func wait(until deadline: Deadline) -> Bool {
        if isSet { return true }
        queue.enter()
        defer { queue.leave() }
        while true {
            let (isUnset, old) = state.compareExchange(
                expected: 0,
                desired: 2,
                ordering: .acquiringAndReleasing
            )
            if !isUnset, old == 1 { return true }
            if !queue.wait(until: deadline) { return isSet }
        }
    }
}
