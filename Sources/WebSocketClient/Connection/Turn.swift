import Synchronization

/// The right to use one half of a connection, which one thread at a time holds.
///
/// States, all in one word:
///
/// * 0: free.
/// * The number of a thread: that thread holds the turn.
/// * That number with the lowest bit set: others wait, so whoever leaves has to wake the waiters.
///
/// Two more facts are stored beside it: whether the turn has been cancelled, which is final and ends
/// every wait, and how many threads are starving.
///
/// Rules:
///
/// * Taking a free turn and leaving one that nobody waits for cost one atomic exchange each.
/// * A thread that holds the turn and asks for it again gets an error, and doesn't wait for itself.
/// * Cancelling ends the waits, not the turn: its holder goes on until it leaves, and a free turn can
///   still be taken without waiting, so that what is left can be written or read.
/// * A thread that has waited for `patience` goes first. Until then, any thread that finds the turn
///   free takes it, as handing it over each time would leave it unused while the other thread wakes up.
/// * A callback is called once, by the thread that leaves or cancels, while it holds no lock. It may
///   only wake a thread, which then asks for the turn again.
///
/// Memory orderings: taking and leaving are sequentially consistent, and so are accesses to whatever
/// others check together with the turn ("I have left a frame in the queue; is the turn free?" against
/// "the turn is free; is there a frame in the queue?"). One of the two sees the other: the store comes
/// before the load on both sides, and all four are in one total order. On x86-64 the locked exchange
/// orders them. On arm64 the store is a store-release (STLR, or the release half of SWPAL), and the
/// load a load-acquire (LDAR, or the acquire half of CASAL, also when the comparison fails), and the
/// architecture keeps a load-acquire behind an earlier store-release. A thread compares the word with
/// its own number without any ordering: only it can have stored that number, and a thread sees its own
/// stores. A waiter marks the word under the mutex that the leaver takes before it signals, so the
/// signal comes after the wait has begun.
final class Turn: @unchecked Sendable {
    // Safe to send: `callbacks` is touched only under the mutex of `waiters`.

    enum Outcome {
        case taken
        case timedOut
        /// The turn was cancelled before it could be taken.
        case cancelled
        /// The calling thread holds the turn already, and would wait for itself.
        case alreadyHeld
    }

    private let word = Atomic<UInt>(0)
    private let starving = Atomic<Int>(0)
    private let isCancelled = Atomic<Bool>(false)
    private let lazyWaiters = LazyWaitQueue()
    private var waiters: WaitQueue { lazyWaiters.made }
    private var callbacks: [@Sendable () -> Void] = []

    /// The numbers of threads are even: they are addresses.
    private static let isAwaited: UInt = 1
    private static let patience = Duration.milliseconds(1)

    /// Whether a thread holds the turn.
    var isTaken: Bool { word.load(ordering: .relaxed) != 0 }

    /// Whether the calling thread holds the turn.
    var isHeldByCurrentThread: Bool { isHeld(by: Threads.currentNumber) }

    /// Whether the holder is the one with this number, a thread's or another.
    func isHeld(by number: UInt) -> Bool {
        word.load(ordering: .relaxed) & ~Self.isAwaited == number
    }

    /// Takes the turn if it is free and no thread is starving for it.
    func tryTake() -> Bool { tryTake(as: Threads.currentNumber) }

    /// As above, for a holder that isn't a thread. Its number is even too, and never that of a thread.
    func tryTake(as number: UInt) -> Bool {
        starving.load(ordering: .sequentiallyConsistent) == 0 && take(as: number)
    }

    /// Waits for the turn until the deadline, or until it is cancelled, unless `evenIfCancelled`.
    func take(until deadline: Deadline, evenIfCancelled: Bool = false) -> Outcome {
        if tryTake() { return .taken }
        if isHeldByCurrentThread { return .alreadyHeld }
        let number = Threads.currentNumber
        let patience = Deadline.after(Self.patience)
        var isStarving = false
        waiters.enter()
        defer {
            waiters.leave()
            if isStarving { starving.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        }
        while true {
            // Try again after each wait, even after the last one: a signal that came together with the
            // time-out must not be lost to the other waiters.
            if takeOrMark(as: number) { return .taken }
            if !evenIfCancelled, isCancelled.load(ordering: .acquiring) { return .cancelled }
            let limit = isStarving ? deadline : deadline.earlier(patience)
            guard !waiters.wait(until: limit) else { continue }
            if takeOrMark(as: number) { return .taken }
            guard !isStarving, patience < deadline else { return .timedOut }
            starving.wrappingAdd(1, ordering: .relaxed)
            isStarving = true
        }
    }

    /// Takes the turn if it is free; otherwise calls `callback` once, as soon as the turn is left or
    /// cancelled. The callback then asks again: another thread may have been faster.
    func take(
        as number: UInt = Threads.currentNumber,
        orCallBack callback: @escaping @Sendable () -> Void
    ) -> Bool {
        if tryTake(as: number) { return true }
        waiters.enter()
        defer { waiters.leave() }
        if takeOrMark(as: number) { return true }
        callbacks.append(callback)
        return false
    }

    /// Gives up the turn.
    func leave() {
        guard word.exchange(0, ordering: .sequentiallyConsistent) & Self.isAwaited != 0 else {
            return
        }
        wake(all: false)
    }

    /// Ends every wait for the turn, now and later.
    func cancel() {
        isCancelled.store(true, ordering: .releasing)
        wake(all: true)
    }

    /// Not inlined, or every thread that leaves would make the exclusivity check for `callbacks`.
    @inline(never)
    private func wake(all: Bool) {
        waiters.enter()
        let called = callbacks
        callbacks = []
        if all { waiters.signalAll() } else { waiters.signalOne() }
        waiters.leave()
        for callback in called { callback() }
    }

    private func take(as number: UInt) -> Bool {
        word.compareExchange(
            expected: 0,
            desired: number,
            ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// Takes the turn, or marks it as awaited, so that whoever leaves it wakes the waiters.
    ///
    /// A thread that takes it here leaves it marked, as it can't know whether it was the last waiter:
    /// at worst that causes a needless signal.
    private func takeOrMark(as number: UInt) -> Bool {
        var current = word.load(ordering: .relaxed)
        while true {
            if current != 0, current & Self.isAwaited != 0 { return false }
            let desired = (current == 0 ? number : current) | Self.isAwaited
            let (isExchanged, original) = word.compareExchange(
                expected: current,
                desired: desired,
                ordering: .sequentiallyConsistent
            )
            if isExchanged { return current == 0 }
            current = original
        }
    }
}
