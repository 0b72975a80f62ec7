import Synchronization

/// Keeps account of the messages that a sender has corked, and sees to it that they go out in time.
///
/// Rules:
/// 1. The time runs from the first message in an empty cork. The sender stores the count and then looks
///    whether a timer is set; the reactor takes its timer away and then looks at the count; so one of them sees
///    the other.
/// 2. The timer stays set while the cork is in use, so that a sender sets it, which takes a system call, only
///    after a pause. It comes up when the first message is due, or before.
/// 3. The reactor writes what goes without waiting. With a peer that reads too slowly it tries again, less and
///    less often; the next message waits for that peer anyway, as without corking.
/// 4. A sender that doesn't pause asks for the time at each 64th message, and writes by itself shortly before
///    the first one is due, so that the reactor need not take the turn away from it.
final class Cork: Sendable {
    enum Addition {
        /// The first message: see to the timer.
        case first
        case another
        /// It is time to write.
        case due
    }

    private let delay: Duration
    /// How long before the first message is due a busy sender writes.
    private let advance: Int64
    /// How many messages are corked; changed in turn.
    private let count = Atomic<Int>(0)
    /// How many messages were accepted and can't go out any more.
    private let lostCount = Atomic<Int>(0)
    /// Whether nothing can be lost any more.
    let isSettled = Atomic<Bool>(false)
    /// Whether somebody is about to wait for the peer, and wants what is corked to go out first.
    let isFlushWanted = Atomic<Bool>(false)

    /// When the first message is due, by the clock.
    private let deadline = Atomic<Int64>(.max)
    private let hasTimer = Atomic<Bool>(false)
    /// Whether something has been corked since the timer came up last.
    private let isInUse = Atomic<Bool>(false)
    /// How long to wait before the next try; touched by the reactor's thread.
    private let pause = Locked(Cork.shortestPause)
    /// Writes what is corked; true if something is left, as the stream is full.
    private let write: @Sendable () -> Bool

    private static let messagesPerLook = 64
    /// Less would keep the reactor busy, and more makes no difference.
    private static let shortestDelay = Duration.microseconds(10)
    private static let longestDelay = Duration.seconds(3600)
    private static let shortestPause = Duration.milliseconds(1)
    private static let longestPause = Duration.milliseconds(20)

    init(delay: Duration, write: @escaping @Sendable () -> Bool) {
        self.delay = min(max(delay, Self.shortestDelay), Self.longestDelay)
        advance = Int64(self.delay / .nanoseconds(4))
        self.write = write
    }

    /// Whether messages are corked.
    var isHolding: Bool { count.load(ordering: .relaxed) > 0 }

    /// How many messages were accepted and can't go out any more.
    var lost: Int { lostCount.load(ordering: .relaxed) }

    // MARK: In turn

    /// Counts a message that has been corked.
    func add() -> Addition {
        let number = count.load(ordering: .relaxed) + 1
        guard number > 1 else {
            deadline.store(Deadline.after(delay).nanoseconds, ordering: .relaxed)
            isInUse.store(true, ordering: .relaxed)
            count.store(number, ordering: .sequentiallyConsistent)
            return .first
        }
        count.store(number, ordering: .relaxed)
        guard number.isMultiple(of: Self.messagesPerLook) else { return .another }
        let limit = deadline.load(ordering: .relaxed) - advance
        return Deadline.now.nanoseconds >= limit ? .due : .another
    }

    /// All that was corked has gone out.
    func becameEmpty() { count.store(0, ordering: .relaxed) }

    /// The connection has failed, and this many messages are left in its buffer.
    func fail(unwritten: Int) {
        let number = count.load(ordering: .relaxed)
        lostCount.wrappingAdd(min(number, unwritten), ordering: .relaxed)
        becameEmpty()
    }

    // MARK: Time

    /// Has the reactor write the first message in time; called without the turn. False if the reactor can't
    /// be started.
    func setTimer() -> Bool {
        guard !hasTimer.load(ordering: .sequentiallyConsistent),
            !hasTimer.exchange(true, ordering: .sequentiallyConsistent)
        else { return true }
        do throws(TransportError) {
            try Reactor.shared().call(self, at: due)
            return true
        } catch {
            hasTimer.store(false, ordering: .sequentiallyConsistent)
            return false
        }
    }

    private var due: Deadline { Deadline(nanoseconds: deadline.load(ordering: .relaxed)) }

    /// The timer has come up; returns when to call again. On the reactor's thread.
    func timeIsUp() -> Deadline? {
        if isHolding {
            guard due.isPast else { return due }
            isInUse.store(true, ordering: .relaxed)
            guard write() else { return .after(delay) }
            return .after(nextPause())
        }
        pause.withLock { $0 = Self.shortestPause }
        if isInUse.exchange(false, ordering: .relaxed) { return .after(delay) }
        hasTimer.store(false, ordering: .sequentiallyConsistent)
        guard count.load(ordering: .sequentiallyConsistent) > 0,
            !hasTimer.exchange(true, ordering: .sequentiallyConsistent)
        else { return nil }
        return due
    }

    private func nextPause() -> Duration {
        pause.withLock { pause in
            defer { pause = min(pause * 2, Self.longestPause) }
            return pause
        }
    }
}
