import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Timed lock", .blocking)
struct TimedLockTests {
    @Test("A taken lock can't be taken again before it is unlocked")
    func exclusion() {
        let lock = SharedLock()
        #expect(lock.tryLock())
        #expect(!lock.tryLock())
        lock.unlock()
        #expect(lock.lock(until: .never))
        lock.unlock()
    }

    @Test("Waiting ends at the deadline")
    func timeOut() {
        let lock = SharedLock()
        #expect(lock.tryLock())
        let time = elapsed { #expect(!lock.lock(until: .after(.milliseconds(30)))) }
        #expect(time >= .milliseconds(30))
        lock.unlock()
        #expect(lock.tryLock())
    }

    @Test("A waiting thread gets the lock when it is unlocked")
    func handOver() throws {
        let lock = SharedLock()
        #expect(lock.tryLock())
        let waiter = Background { lock.lock(until: .ample) }
        lock.unlock()
        #expect(try waiter.join())
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
                for round in 0..<2_000 {
                    let isPatient = number < 3
                    let deadline = isPatient ? Deadline.never : .after(.microseconds(round % 200))
                    guard shared.lock.lock(until: deadline) else { continue }
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
    private let timed = TimedLock()

    func tryLock() -> Bool { timed.tryLock() }
    func lock(until deadline: Deadline) -> Bool { timed.lock(until: deadline) }
    func unlock() { timed.unlock() }
}
