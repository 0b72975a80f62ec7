import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A lock that can be waited for with a deadline, which `Mutex` can't.
///
/// Free or uncontended it costs one atomic exchange each way. Not recursive and not fair; it may be
/// unlocked by another thread than the one that locked it. Trying to take it and unlocking it are
/// sequentially consistent.
package final class TimedLock: Sendable {
    /// 0 free, 1 taken, 2 taken and somebody may be waiting.
    private let state = Atomic<UInt8>(0)
    private let queue = WaitQueue()

    package init() {}

    /// Takes the lock if it is free.
    package func tryLock() -> Bool {
        state.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
    }

    /// Whether somebody has the lock just now.
    package var isLocked: Bool { state.load(ordering: .relaxed) != 0 }

    /// Waits for the lock until the deadline; false if it was not to be had.
    package func lock(until deadline: Deadline) -> Bool {
        if tryLock() { return true }
        queue.enter()
        defer { queue.leave() }
        // Who takes the lock from here leaves it marked as contended, as it can't know whether it
        // was the last to wait: at worst one signal too many. The last look after the time-out
        // makes sure that a signal that came with it is not lost to the others.
        while state.exchange(2, ordering: .acquiring) != 0 {
            if !queue.wait(until: deadline) {
                return state.exchange(2, ordering: .acquiring) == 0
            }
        }
        return true
    }

    package func unlock() {
        guard state.exchange(0, ordering: .sequentiallyConsistent) == 2 else { return }
        queue.enter()
        queue.signalOne()
        queue.leave()
    }
}

/// A pthread mutex and condition variable on the monotonic clock.
private final class WaitQueue: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        #if os(Linux)
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #else
            pthread_cond_init(condition, nil)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func enter() { pthread_mutex_lock(mutex) }

    func leave() { pthread_mutex_unlock(mutex) }

    func signalOne() { pthread_cond_signal(condition) }

    /// False once the deadline has passed; may return early.
    func wait(until deadline: Deadline) -> Bool {
        if deadline == .never {
            pthread_cond_wait(condition, mutex)
            return true
        }
        #if os(Linux)
            var time = SystemCalls.timespecification(nanoseconds: max(0, deadline.nanoseconds))
            return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
        #else
            guard let remaining = deadline.remaining else { return true }
            let nanoseconds = Int64(remaining / .nanoseconds(1))
            var time = SystemCalls.timespecification(nanoseconds: nanoseconds)
            return pthread_cond_timedwait_relative_np(condition, mutex, &time) != ETIMEDOUT
        #endif
    }
}
