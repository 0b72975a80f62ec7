#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How many more messages may be under way: taken by the sender, given back by the receiver.
final class Credits: @unchecked Sendable {
    // Safe to send: the variables are touched under the mutex alone.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var count: Int
    private var isClosed = false

    init(_ count: Int) {
        self.count = count
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Waits for one; false if there will be none.
    func take() -> Bool {
        locked {
            while count == 0, !isClosed { pthread_cond_wait(condition, mutex) }
            count -= 1
            return !isClosed
        }
    }

    func give() {
        locked {
            count += 1
            pthread_cond_signal(condition)
        }
    }

    func close() {
        locked {
            isClosed = true
            pthread_cond_signal(condition)
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
