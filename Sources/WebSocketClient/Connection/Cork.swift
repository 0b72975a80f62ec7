import Synchronization

/// Counts the messages that a sender has corked, and makes sure that they go out in time.
///
/// Rules:
/// 1. The time runs from the first message in an empty cork. The sender stores the count and then
///    checks whether a timer is set; the reactor removes its timer and then checks the count; so one of
///    them sees the other.
/// 2. The timer stays set while the cork is in use, so that a sender has to set it, which takes a
///    system call, only after a pause. It comes up when the first message is due, or earlier.
/// 3. The reactor writes without waiting. With a peer that reads too slowly it tries again, less and
///    less often; the next message has to wait for that peer anyway, as without corking.
/// 4. A sender that doesn't pause reads the clock at every 64th message, and writes by itself shortly
///    before the first one is due, so that the reactor needn't take the turn away from it.
final class Cork: Sendable {
    enum Addition {
        /// The first message: make sure that a timer is set.
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
    /// How many accepted messages can't go out any more.
    private let lostCount = Atomic<Int>(0)
    /// Whether nothing can be lost any more.
    let isSettled = Atomic<Bool>(false)
    /// Whether somebody is about to wait for the peer, and wants the corked messages to go out first.
    let isFlushWanted = Atomic<Bool>(false)

    /// When the first message is due, by the clock.
    private let deadline = Atomic<Int64>(.max)
    private let hasTimer = Atomic<Bool>(false)
    /// Whether a message has been corked since the timer last came up.
    private let isInUse = Atomic<Bool>(false)
    /// How long to wait before the next try; touched by the reactor's thread.
    private let pause = Locked(Cork.shortestPause)
    /// Writes the corked messages; true if something is left, as the stream is full.
    private let write: @Sendable () -> Bool

    private static let messagesPerLook = 64
    /// A shorter time would keep the reactor busy; a longer one makes no difference.
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

    /// How many accepted messages can't go out any more.
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

    /// All corked messages have gone out.
    func becameEmpty() { count.store(0, ordering: .relaxed) }

    /// The connection has failed, and this many messages are left in its buffer.
    func fail(unwritten: Int) {
        let number = count.load(ordering: .relaxed)
        lostCount.wrappingAdd(min(number, unwritten), ordering: .relaxed)
        becameEmpty()
    }

    // MARK: Time

    /// Has the reactor write the first message in time; called without holding the turn. False if the
    /// reactor can't be started.
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

    /// Called by the reactor when the timer has come up; returns when to call again.
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
