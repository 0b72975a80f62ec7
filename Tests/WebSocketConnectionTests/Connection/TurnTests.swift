import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("A turn", .blocking)
struct TurnTests {
    @Test("A taken turn can't be taken again before it is left")
    func exclusion() throws {
        let turn = Turn()
        #expect(turn.tryTake())
        #expect(turn.isTaken)
        let isTakenTwice = try Background { turn.tryTake() }.join()
        #expect(!isTakenTwice)
        turn.leave()
        #expect(!turn.isTaken)
        #expect(turn.take(until: .never) == .taken)
        turn.leave()
    }

    @Test("A thread that holds the turn gets an error at once, and doesn't wait for itself")
    func reentry() throws {
        let turn = Turn()
        #expect(!turn.isHeldByCurrentThread)
        #expect(turn.tryTake())
        #expect(turn.isHeldByCurrentThread)
        let isHeldByAnother = try Background { turn.isHeldByCurrentThread }.join()
        #expect(!isHeldByAnother)
        #expect(turn.take(until: .never) == .alreadyHeld)
        // Again, while another thread waits.
        let waiter = Background { turn.take(until: .after(.seconds(60))) }
        pause(.milliseconds(20))
        #expect(turn.isHeldByCurrentThread)
        #expect(turn.take(until: .never) == .alreadyHeld)
        turn.leave()
        #expect(try waiter.join() == .taken)
        #expect(!turn.isHeldByCurrentThread)
    }

    @Test("Waiting ends at the deadline", arguments: [0, 30])
    func timeOut(milliseconds: Int) throws {
        let turn = Turn()
        #expect(turn.tryTake())
        let limit = Duration.milliseconds(milliseconds)
        let (outcome, time) = try Background {
            var outcome: Turn.Outcome?
            let time = elapsed { outcome = turn.take(until: .after(limit)) }
            return (outcome, time)
        }.join()
        #expect(outcome == .timedOut)
        #expect(time >= limit)
        turn.leave()
        #expect(turn.tryTake())
    }

    @Test("Cancelling ends every wait, now and later, and lets a free turn be taken")
    func cancel() throws {
        let turn = Turn()
        #expect(turn.tryTake())
        let waiters = (0..<3).map { _ in Background { turn.take(until: .never) } }
        let patient = Background { turn.take(until: .never, evenIfCancelled: true) }
        pause(.milliseconds(20))
        turn.cancel()
        for waiter in waiters { #expect(try waiter.join() == .cancelled) }
        let late = try Background { turn.take(until: .never) }.join()
        #expect(late == .cancelled)
        turn.leave()
        #expect(try patient.join() == .taken)
        turn.leave()
        #expect(turn.tryTake())
    }

    @Test("A caller that can't wait is called back once, when the turn is left or cancelled")
    func callBack() throws {
        let turn = Turn()
        let calls = Atomic(0)
        let count: @Sendable () -> Void = { calls.add(1, ordering: .relaxed) }
        #expect(turn.take(orCallBack: count))
        #expect(!turn.take(orCallBack: count))
        #expect(!turn.take(orCallBack: count))
        #expect(calls.load(ordering: .relaxed) == 0)
        turn.leave()
        #expect(calls.load(ordering: .relaxed) == 2)
        #expect(turn.take(orCallBack: count))
        turn.leave()
        #expect(calls.load(ordering: .relaxed) == 2)
        #expect(turn.tryTake())
        #expect(!turn.take(orCallBack: count))
        turn.cancel()
        #expect(calls.load(ordering: .relaxed) == 3)
    }

    @Test("A callback may ask for the turn again")
    func callBackAgain() {
        let turn = Turn()
        let isTaken = Atomic(false)
        #expect(turn.tryTake())
        let isFree = turn.take(orCallBack: {
            isTaken.store(turn.take(orCallBack: {}), ordering: .relaxed)
        })
        #expect(!isFree)
        turn.leave()
        let wasTaken = isTaken.load(ordering: .relaxed)
        #expect(wasTaken)
    }

    @Test("A waiting thread gets the turn although others take it again and again")
    func starvation() throws {
        let turn = Turn()
        let isDone = Promise<Void>()
        let others = (0..<3).map { _ in
            Background {
                while !isDone.isFulfilled {
                    guard turn.tryTake() else { continue }
                    turn.leave()
                }
            }
        }
        for _ in 0..<20 {
            #expect(turn.take(until: .never) == .taken)
            turn.leave()
        }
        isDone.fulfil()
        for thread in others { try thread.join() }
    }

    @Test("Many threads, some of them impatient, never hold it at once and never lose a wake-up")
    func contention() throws {
        let turn = Turn()
        let inside = Atomic(0)
        let entered = Atomic(0)
        let threads = (0..<6).map { number in
            Background {
                var collisions = 0
                for round in 0..<2_000 {
                    let isPatient = number < 3
                    let deadline = isPatient ? Deadline.never : .after(.microseconds(round % 200))
                    guard turn.take(until: deadline) == .taken else { continue }
                    if inside.add(1, ordering: .relaxed).newValue != 1 { collisions += 1 }
                    entered.add(1, ordering: .relaxed)
                    inside.subtract(1, ordering: .relaxed)
                    turn.leave()
                }
                return collisions
            }
        }
        for thread in threads { #expect(try thread.join() == 0) }
        #expect(entered.load(ordering: .relaxed) >= 6_000)
        #expect(turn.tryTake())
    }
}
