import Glibc
import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Watching signals", .blocking, .serialized)
struct SignalWatchTests {
    @Test(
        "A signal to a forked child has its usual effect there, and doesn't call the parent's function"
    )
    func forkedChild() throws {
        let calls = Atomic<Int>(0)
        let watch = try SignalWatch(SIGUSR2) { calls.wrappingAdd(1, ordering: .relaxed) }
        let child = try forkProcess()
        if child == 0 {
            // Threads of test runners block signals.
            var none = sigset_t()
            sigemptyset(&none)
            sigprocmask(SIG_SETMASK, &none, nil)
            raise(SIGUSR2)
            _exit(3)
        }
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        #expect(status & 0x7F == SIGUSR2)
        // Anything that the child had written would come before this.
        kill(getpid(), SIGUSR2)
        #expect(eventually { calls.load(ordering: .relaxed) > 0 })
        #expect(calls.load(ordering: .relaxed) == 1)
        withExtendedLifetime(watch) {}
    }

    @Test("All watches of a signal are called, and the last one to be released restores its effect")
    func several() throws {
        var former = sigaction()
        let calls = Locked<[Int]>([])
        var watches = try (1...3).map { number in
            try SignalWatch(SIGIO) { calls.withLock { $0.append(number) } }
        }
        kill(getpid(), SIGIO)
        #expect(eventually { calls.withLock { $0.count } == 3 })
        #expect(calls.withLock { $0 } == [1, 2, 3])
        watches.removeLast(2)
        sigaction(SIGIO, nil, &former)
        #expect(former.__sigaction_handler.sa_handler != nil)
        watches.removeAll()
        #expect(
            eventually {
                sigaction(SIGIO, nil, &former)
                return former.__sigaction_handler.sa_handler == nil
            }
        )
    }

    @Test("Invalid signal numbers are refused", arguments: [-1, 0, 65, 1000] as [Int32])
    func noSignal(number: Int32) {
        #expect(throws: TransportError.self) { _ = try SignalWatch(number) {} }
    }
}
