import Synchronization

/// A lock that can be waited for with a deadline, unlike `Mutex`.
///
/// Uncontended it costs one atomic exchange each way. Not recursive and not fair; a thread other than
/// the one that locked it may unlock it. Trying to take it and unlocking it are
/// sequentially consistent.
package struct TimedLock: ~Copyable, Sendable {
    /// 0 free, 1 taken, 2 taken and somebody may be waiting.
    private let state = Atomic<UInt8>(0)
    private let waiters = LazyWaitQueue()

    package init() {}

    /// Takes the lock if it is free.
    package func tryLock() -> Bool {
        state.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
    }

    /// Whether a thread holds the lock.
    package var isLocked: Bool { state.load(ordering: .relaxed) != 0 }

    /// Waits for the lock until the deadline; false if it couldn't be acquired.
    package func lock(until deadline: Deadline) -> Bool {
        tryLock() || wait(until: deadline)
    }

    private func wait(until deadline: Deadline) -> Bool {
        let queue = waiters.made
        queue.enter()
        defer { queue.leave() }
        // A thread that takes the lock here leaves it marked as contended, as it can't know whether it
        // was the last waiter: at worst that causes a needless signal. The last try after the time-out
        // makes sure that a signal that came together with it isn't lost to the other waiters.
        while state.exchange(2, ordering: .acquiring) != 0 {
            if !queue.wait(until: deadline) {
                return state.exchange(2, ordering: .acquiring) == 0
            }
        }
        return true
    }

    package func unlock() {
        guard state.exchange(0, ordering: .sequentiallyConsistent) == 2 else { return }
        wakeOne()
    }

    private func wakeOne() {
        let queue = waiters.made
        queue.enter()
        queue.signalOne()
        queue.leave()
    }
}
