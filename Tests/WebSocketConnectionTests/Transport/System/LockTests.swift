import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Lock", .blocking)
struct LockTests {
    @Test("A taken lock can't be taken again before it is unlocked")
    func exclusion() {
        let lock = SharedLock()
        #expect(lock.tryLock())
        #expect(!lock.tryLock())
        lock.unlock()
        lock.lock()
        lock.unlock()
    }

    @Test("A waiting thread gets the lock when it is unlocked")
    func handOver() throws {
        let lock = SharedLock()
        #expect(lock.tryLock())
        let waiter = Background { lock.lock() }
        lock.unlock()
        try waiter.join()
    }

    @Test("Many threads, some of them impatient, never hold it at once and never lose a wake-up")
    func contention() throws {
        final class Shared: Sendable {
            let lock = SharedLock()
            let inside = Atomic<Int>(0)
            let entered = Atomic<Int>(0)
        }
        let shared = Shared()
        let threads = (0..<6).map { number in
            Background {
                var collisions = 0
                for _ in 0..<2_000 {
                    if number < 3 {
                        shared.lock.lock()
                    } else if !shared.lock.tryLock() {
                        continue
                    }
                    if shared.inside.add(1, ordering: .relaxed).newValue != 1 { collisions += 1 }
                    shared.entered.add(1, ordering: .relaxed)
                    shared.inside.subtract(1, ordering: .relaxed)
                    shared.lock.unlock()
                }
                return collisions
            }
        }
        for thread in threads { #expect(try thread.join() == 0) }
        #expect(shared.entered.load(ordering: .relaxed) >= 6_000)
        #expect(shared.lock.tryLock())
    }
}

/// A lock that threads and expectations can refer to.
private final class SharedLock: Sendable {
    private let inner = Lock()

    func tryLock() -> Bool { inner.tryLock() }
    func lock() { inner.lock() }
    func unlock() { inner.unlock() }
}
