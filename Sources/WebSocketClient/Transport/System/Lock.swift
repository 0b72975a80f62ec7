import Synchronization

/// The lock inside ``Locked``.
///
/// Uncontended it costs one atomic exchange each way. Not recursive and not fair. Trying to take it and
/// unlocking it are sequentially consistent.
struct Lock: ~Copyable, Sendable {
    /// 0 free, 1 taken, 2 taken and somebody may be waiting.
    private let state = Atomic<UInt8>(0)
    private let waiters = LazyWaitQueue()

    /// Takes the lock if it is free.
    func tryLock() -> Bool {
        state.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
    }

    func lock() {
        if !tryLock() { wait() }
    }

    private func wait() {
        let queue = waiters.made
        queue.enter()
        // A thread that takes the lock here leaves it marked as contended, as it can't know whether it
        // was the last waiter: at worst that causes a needless signal.
        while state.exchange(2, ordering: .acquiring) != 0 { _ = queue.wait(until: .never) }
        queue.leave()
    }

    func unlock() {
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
