import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Waiting on the reactor", .blocking)
struct ReactorTests {
    /// One end of a socket pair whose readiness the reactor reports; the other is the test's.
    private struct Watched {
        let stream: SocketStream
        let peer: SocketStream
        let reactor: Reactor
        let readiness: Readiness

        init(writeRest: @escaping @Sendable () -> Void = {}) throws {
            (stream, peer) = try makeStreamPair()
            reactor = try Reactor.shared()
            readiness = try Readiness(of: stream, on: reactor, writeRest: writeRest)
        }

        /// Reads a byte, and waits for it.
        func readByte() async throws -> UInt8 {
            while true {
                var byte: UInt8 = 0
                let transfer = try withUnsafeMutableBytes(of: &byte) { try stream.read(into: $0) }
                switch transfer {
                case .bytes: return byte
                case .wouldBlock(let interest): await readiness.receiving.wait(for: interest)
                case .endOfStream: throw SupportError("the stream has ended")
                }
            }
        }

        func send(_ byte: UInt8) throws {
            _ = try withUnsafeBytes(of: byte) { try peer.write($0) }
        }
    }

    @Test("A task that waits to read is woken by arriving bytes")
    func reading() async throws {
        let watched = try Watched()
        async let byte = watched.readByte()
        try watched.send(7)
        #expect(try await byte == 7)
    }

    @Test("Ten thousand waits lose no wake-up")
    func manyWaits() async throws {
        let (watched, echo) = (try Watched(), try Watched())
        let count = 10_000
        let answering = Task {
            for _ in 0..<count { try watched.send(try await echo.readByte()) }
        }
        for index in 0..<count {
            try echo.send(UInt8(truncatingIfNeeded: index))
            #expect(try await watched.readByte() == UInt8(truncatingIfNeeded: index))
        }
        try await answering.value
    }

    @Test("An event between the attempt and the wait ends the wait at once")
    func latch() async throws {
        let slot = WaitSlot()
        slot.report(.read)
        await slot.wait(for: .read)
        slot.report([.read, .write])
        await slot.wait(for: .write)
        // Each kind is kept separately.
        await slot.wait(for: .read)
        slot.knock()
        await slot.wait(for: [])
    }

    @Test("Readiness of the other kind doesn't end a wait")
    func otherKind() async throws {
        let slot = WaitSlot()
        let hasReturned = Promise<Void>()
        await withTaskGroup { group in
            group.addTask {
                await slot.wait(for: .read)
                hasReturned.fulfil()
            }
            while slot.awaited == nil { await Task.yield() }
            slot.report(.write)
            for _ in 0..<100 { await Task.yield() }
            #expect(!hasReturned.isFulfilled)
            slot.report(.read)
        }
        #expect(hasReturned.isFulfilled)
        #expect(slot.takeReadiness(.write))
        #expect(!slot.takeReadiness(.write))
    }

    @Test("A full stream wakes its writer when the peer reads")
    func writing() async throws {
        let watched = try Watched()
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        let total = 8 << 20
        let reading = Background { () -> Int in
            var (sum, room) = (0, [UInt8](repeating: 0, count: 64 << 10))
            while true {
                let transfer = try room.withUnsafeMutableBytes { try watched.peer.read(into: $0) }
                switch transfer {
                case .bytes(let count): sum += count
                case .wouldBlock: try watched.peer.wait(for: .read, until: .after(.seconds(60)))
                case .endOfStream: return sum
                }
            }
        }
        var sent = 0
        while sent < total {
            switch try piece.withUnsafeBytes({ try watched.stream.write($0) }) {
            case .bytes(let count): sent += count
            case .wouldBlock(let interest): await watched.readiness.sending.wait(for: interest)
            case .endOfStream: throw SupportError("the stream has ended")
            }
        }
        watched.stream.finishWriting()
        #expect(try reading.join() == sent)
    }

    @Test("Bytes that no task waits to write are written when there is room")
    func rest() async throws {
        let calls = Locked(0)
        let watched = try Watched { calls.withLock { $0 += 1 } }
        #expect(eventually { calls.withLock { $0 } >= 1 })
        // There is more room, and the system won't report it again.
        watched.readiness.writeLater()
        #expect(eventually { calls.withLock { $0 } >= 2 })
        withExtendedLifetime(watched) {}
    }

    @Test("A wait with a limit ends when its time is up, and one without doesn't")
    func timeOut() async throws {
        let watched = try Watched()
        let clock = SuspendingClock()
        let start = clock.now
        let deadline = Deadline.after(.milliseconds(30))
        while !deadline.isPast {
            await watched.readiness.receiving.wait(
                for: .read,
                until: deadline,
                on: watched.reactor
            )
        }
        #expect(start.duration(to: clock.now) >= .milliseconds(30))
    }

    @Test("A deadline can be moved later and earlier")
    func deadlines() async throws {
        let (reactor, slot) = (try Reactor.shared(), WaitSlot())
        for milliseconds in [3600_000, 20, 3600_000, 5, 40, 1] {
            let deadline = Deadline.after(.milliseconds(milliseconds))
            if milliseconds > 1000 { slot.knock() }
            repeat {
                await slot.wait(for: [], until: deadline, on: reactor)
            } while milliseconds < 1000 && !deadline.isPast
        }
    }

    @Test("Cancelling a task ends its wait")
    func cancelling() async throws {
        let slot = WaitSlot()
        let task = Task {
            await withTaskCancellationHandler {
                while !Task.isCancelled { await slot.wait(for: [.read, .write]) }
            } onCancel: {
                slot.knock()
            }
        }
        while slot.awaited == nil { await Task.yield() }
        task.cancel()
        await task.value
    }

    @Test("The end of the stream wakes both directions, and every later wait ends at once")
    func end() async throws {
        let watched = try Watched()
        async let reading: Void = watched.readiness.receiving.wait(for: .read)
        watched.stream.abort()
        await reading
        for _ in 0..<3 {
            await watched.readiness.sending.wait(for: .write)
            await watched.readiness.receiving.wait(for: .read)
        }
    }

    @Test("An end that came together with the last byte isn't missed")
    func endWithByte() async throws {
        let watched = try Watched()
        async let byte = watched.readByte()
        try watched.send(7)
        watched.peer.finishWriting()
        #expect(try await byte == 7)
        // The reader has seen that there is no more for now, but not the end.
        await watched.readiness.receiving.wait(for: .read)
        await watched.readiness.receiving.wait(for: .read)
        await #expect(throws: SupportError.self) { try await watched.readByte() }
        // The other direction goes on.
        let transfer = try withUnsafeBytes(of: 1) { try watched.stream.write($0) }
        #expect(transfer == .bytes(8))
    }

    @Test("A released stream is closed, and its descriptor can be reused")
    func removal() async throws {
        for _ in 0..<200 {
            let watched = try Watched()
            try watched.send(1)
            #expect(try await watched.readByte() == 1)
        }
        // The reactor's thread may hold the last reference for a moment.
        let (stream, peer) = try makeStreamPair()
        weak var readiness: Readiness?
        do {
            let kept = try Readiness(of: stream, on: try Reactor.shared()) {}
            readiness = kept
        }
        #expect(eventually { readiness == nil })
        _ = peer
    }

    @Test("The reactor sleeps while nothing happens", .alone)
    func idle() async throws {
        let watched = (0..<10).compactMap { _ in try? Watched() }
        #expect(watched.count == 10)
        let reactor = try Reactor.shared()
        // Readiness is reported once, and then no more.
        var rounds = reactor.rounds
        #expect(
            eventually {
                pause(.milliseconds(50))
                defer { rounds = reactor.rounds }
                return rounds == reactor.rounds
            }
        )
        withExtendedLifetime(watched) {}
    }

    @Test("A child made by fork(2) doesn't touch its parent's registrations", .alone)
    func fork() async throws {
        let (stream, peer) = try makeStreamPair()
        let reactor = try Reactor.shared()
        var readiness: Readiness? = try Readiness(of: stream, on: reactor) {}
        let child = try forkProcess()
        if child == 0 {
            // Only calls that need no other thread.
            let isOther = !reactor.generation.isCurrent
            readiness = nil
            _exit(isOther ? 0 : 1)
        }
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child)
        #expect(status == 0)
        let kept = try #require(readiness)
        let byte: UInt8 = 1
        _ = try withUnsafeBytes(of: byte) { try peer.write($0) }
        await kept.receiving.wait(for: .read)
    }
}

@Suite("Tasks in line", .blocking)
struct TaskLineTests {
    @Test("One task is inside at a time, in order of arrival")
    func order() async throws {
        let (line, reactor) = (TaskLine(), try Reactor.shared())
        #expect(line.enterIfFree())
        #expect(!line.enterIfFree())
        let order = Locked<[Int]>([])
        try await withThrowingTaskGroup { group in
            for number in 0..<20 {
                group.addTask { @Sendable in
                    try await line.enter(until: .never, on: reactor)
                    order.withLock { $0.append(number) }
                    line.leave()
                }
                while line.waiterCount <= number { await Task.yield() }
            }
            line.leave()
            try await group.waitForAll()
        }
        #expect(order.withLock { $0 } == Array(0..<20))
        #expect(line.enterIfFree())
    }

    @Test("A task that is cancelled or times out leaves the line to the others")
    func leaving() async throws {
        let (line, reactor) = (TaskLine(), try Reactor.shared())
        #expect(line.enterIfFree())
        let cancelled = Task { try await line.enter(until: .never, on: reactor) }
        while line.waiterCount < 1 { await Task.yield() }
        let waiting = Task { try await line.enter(until: .never, on: reactor) }
        while line.waiterCount < 2 { await Task.yield() }
        cancelled.cancel()
        await #expect(throws: TaskFailure.self) { try await cancelled.value }
        await #expect(throws: TaskFailure.self) {
            try await line.enter(until: .after(.milliseconds(10)), on: reactor)
        }
        #expect(line.waiterCount == 1)
        line.leave()
        try await waiting.value
        #expect(!line.enterIfFree())
    }
}
