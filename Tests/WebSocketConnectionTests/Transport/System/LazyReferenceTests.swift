import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("A reference that is set once")
struct LazyReferenceTests {
    private final class Counted: Sendable {
        static let alive = Atomic<Int>(0)
        let number: Int

        init(_ number: Int) {
            self.number = number
            Self.alive.add(1, ordering: .relaxed)
        }
        deinit { Self.alive.subtract(1, ordering: .relaxed) }
    }

    private final class Holder: Sendable {
        let reference = LazyReference<Counted>()
    }

    @Test("All threads see the value of the first one, and the others' values are released")
    func race() throws {
        for _ in 0..<200 {
            let holder = Holder()
            #expect(holder.reference.load() == nil)
            let threads = (0..<4).map { number in
                Background { holder.reference.storeIfNil(Counted(number)).number }
            }
            let reader = Background {
                while true { if let value = holder.reference.load() { return value.number } }
            }
            let numbers = try threads.map { try $0.join() }
            #expect(Set(numbers) == [try reader.join()])
            #expect(Counted.alive.load(ordering: .relaxed) == 1)
        }
        #expect(Counted.alive.load(ordering: .relaxed) == 0)
    }
}
