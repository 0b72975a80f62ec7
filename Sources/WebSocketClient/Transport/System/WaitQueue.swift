#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// A pthread mutex and condition variable on the monotonic clock.
final class WaitQueue: @unchecked Sendable {
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

    func signalAll() { pthread_cond_broadcast(condition) }

    /// False once the deadline has passed; may return early.
    func wait(until deadline: Deadline) -> Bool {
        if deadline == .never {
            pthread_cond_wait(condition, mutex)
            return true
        }
        #if os(Linux)
            var time = timespec(nanoseconds: max(0, deadline.nanoseconds))
            return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
        #else
            guard let remaining = deadline.remaining else { return true }
            let nanoseconds = Int64(remaining / .nanoseconds(1))
            var time = timespec(nanoseconds: nanoseconds)
            return pthread_cond_timedwait_relative_np(condition, mutex, &time) != ETIMEDOUT
        #endif
    }
}

/// A wait queue that is made when a thread first has to wait, which for most locks never happens: a
/// connection has about ten locks, and an idle one should cost little.
struct LazyWaitQueue: ~Copyable, Sendable {
    private let queue = LazyReference<WaitQueue>()

    /// The same queue for all threads, made by the first one.
    var made: WaitQueue { queue.load() ?? queue.storeIfNil(WaitQueue()) }
}

extension timespec {
    init(nanoseconds: Int64) {
        self.init(
            tv_sec: time_t(nanoseconds / 1_000_000_000),
            tv_nsec: Int(nanoseconds % 1_000_000_000)
        )
    }
}
