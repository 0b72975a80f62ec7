/// A value that one thread at a time may use.
///
/// Does what `Synchronization.Mutex` does, but visibly to ThreadSanitizer, which on Linux reports every
/// access under a `Mutex` as a race.
package struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked because of the pointer: it is followed under the lock only.
    private let lock = Lock()
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: consuming sending Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    package borrowing func withLock<Result: ~Copyable, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        // Changing what a stored pointer points to looks to ThreadSanitizer as if the pointer changed.
        let pointer = value
        lock.lock()
        defer { lock.unlock() }
        return try body(&pointer.pointee)
    }

    /// As above, unless another thread is using the value: then it does nothing.
    package borrowing func withLockIfAvailable<Result, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result? {
        let pointer = value
        guard lock.tryLock() else { return nil }
        defer { lock.unlock() }
        return try body(&pointer.pointee)
    }
}
