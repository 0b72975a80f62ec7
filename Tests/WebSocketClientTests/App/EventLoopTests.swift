import Glibc
import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Event loop", .blocking)
struct EventLoopTests {
    private final class Member: LoopMember {
        var awaited: (descriptor: Int32, interest: Interest)?
        var deadline = Deadline.never
        var errors: [TransportError] = []
        var readiness: [Interest] = []
        /// Whether the loop goes on because of it.
        var goesOn: (Member) -> Bool = { _ in true }
        let leave: () -> Void

        init(leave: @escaping () -> Void) { self.leave = leave }

        func advance(ready: Interest) -> Bool {
            readiness.append(ready)
            if !goesOn(self) { leave() }
            return false
        }

        func cannotWait(_ error: TransportError) { errors.append(error) }
    }

    @Test("A member whose descriptor can't be waited for gets the error, and advances once more")
    func refusedDescriptor() throws {
        let loop = try EventLoop()
        // epoll(7) refuses regular files.
        let file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        let member = Member { loop.remove(1) }
        member.awaited = (file, .read)
        member.goesOn = { $0.errors.isEmpty }
        loop.add(member, key: 1)
        try loop.run()
        #expect(member.errors == [.system(call: "epoll_ctl", ErrorNumber(rawValue: EPERM))])
    }

    @Test("Jobs and nudges of other threads reach a waiting loop")
    func mail() throws {
        let loop = try EventLoop()
        let member = Member { loop.remove(1) }
        member.goesOn = { $0.readiness.count < 20 }
        loop.add(member, key: 1)
        let jobs = Atomic<Int>(0)
        let other = Background {
            for _ in 0..<100 {
                loop.post { jobs.wrappingAdd(1, ordering: .relaxed) }
                loop.nudge(1)
                pause(.microseconds(100))
            }
        }
        try loop.run()
        try other.join()
        try loop.run()
        #expect(jobs.load(ordering: .relaxed) == 100)
        #expect(member.readiness.count == 20)
    }

    @Test("Deadlines come up in order, and a moved one does no harm")
    func deadlines() throws {
        let loop = try EventLoop()
        let order = Locked<[Int]>([])
        for (key, delay) in [(3, 30), (1, 10), (2, 20)] {
            loop.schedule(at: .after(.milliseconds(delay))) { order.withLock { $0.append(key) } }
        }
        let member = Member { loop.remove(9) }
        member.deadline = .after(.milliseconds(5))
        member.goesOn = { member in
            if member.readiness.count == 1 { member.deadline = .after(.milliseconds(40)) }
            return !member.deadline.isPast
        }
        loop.add(member, key: 9)
        try loop.run()
        #expect(order.withLock { $0 } == [1, 2, 3])
    }
}
