import Synchronization

/// The one thread that wakes tasks when their descriptors are ready or their time is up.
///
/// It starts with the first call that has to wait, sleeps in epoll_wait(2) whenever nothing happens,
/// and lives as long as the process. It only wakes tasks, and writes what a task has left or a
/// connection has corked. A child made by fork(2) doesn't have this thread; its first call that has to
/// wait starts another.
final class Reactor: Sendable {
    /// The slots and corks with deadlines, by number.
    private struct State {
        var members: [UInt64: Member] = [:]
        var lastKey: UInt64 = 0
        var timers = TimerQueue()
        var timed: [Int: TimedSlot] = [:]
        var corks: [Int: Cork] = [:]
        var lastTimer = 0
        /// Connections that have something to write, and room for it.
        var writers: [Readiness] = []
        /// When the thread will wake by itself.
        var wakesAt = Deadline.never
    }

    private struct Member {
        weak var readiness: Readiness?
    }

    private struct TimedSlot {
        var slot: WaitSlot
        /// When to knock; later than its timer if the slot has been given more time meanwhile.
        var deadline: Deadline
    }

    private let poller: EdgePoller
    private let state = Locked(State())
    let generation = ProcessGeneration.current
    private let finishedRounds = Atomic<Int>(0)

    private static let current = Locked<Reactor?>(nil)

    /// The reactor of this process.
    static func shared() throws(TransportError) -> Reactor {
        try current.withLock { current throws(TransportError) in
            if let reactor = current, reactor.generation.isCurrent { return reactor }
            let reactor = try Reactor()
            try Threads.start { reactor.run() }
            current = reactor
            return reactor
        }
    }

    private init() throws(TransportError) {
        poller = try EdgePoller()
    }

    /// How often the thread has woken up.
    var rounds: Int { finishedRounds.load(ordering: .relaxed) }

    // MARK: Descriptors

    /// Reports the readiness of a descriptor from now on, until `remove`.
    func add(_ readiness: Readiness, descriptor: Int32) throws(TransportError) -> UInt64 {
        let key = state.withLock { state in
            state.lastKey += 1
            state.members[state.lastKey] = Member(readiness: readiness)
            return state.lastKey
        }
        do throws(TransportError) {
            try poller.add(descriptor, key: key)
        } catch {
            state.withLock { _ = $0.members.removeValue(forKey: key) }
            throw error
        }
        return key
    }

    /// Removes a descriptor that is about to be closed.
    func remove(_ key: UInt64, descriptor: Int32) {
        // In a child, the epoll instance is still that of the parent.
        guard generation.isCurrent else { return }
        state.withLock { _ = $0.members.removeValue(forKey: key) }
        poller.remove(descriptor)
    }

    /// Has the reactor write what is left for a descriptor; for any thread.
    func write(_ readiness: Readiness) {
        state.withLock { $0.writers.append(readiness) }
        poller.wake()
    }

    // MARK: Time

    /// Knocks at a slot when the deadline has passed, unless it is given another deadline first: a slot
    /// has one. Returns the number by which to set it again.
    func setDeadline(_ deadline: Deadline, for slot: WaitSlot, timer: Int?) -> Int? {
        guard deadline != .never else { return timer }
        let (number, wakes) = state.withLock { state -> (Int, Bool) in
            // When an earlier timer comes up, it looks at the deadline again.
            if let timer, let known = state.timed[timer], known.deadline <= deadline {
                state.timed[timer]?.deadline = deadline
                return (timer, false)
            }
            if let timer { state.timed[timer] = nil }
            state.lastTimer += 1
            state.timed[state.lastTimer] = TimedSlot(slot: slot, deadline: deadline)
            state.timers.add(deadline, key: state.lastTimer)
            return (state.lastTimer, deadline < state.wakesAt)
        }
        if wakes { poller.wake() }
        return number
    }

    /// Calls a cork when the deadline has passed, and again whenever the cork asks for it.
    func call(_ cork: Cork, at deadline: Deadline) {
        let wakes = state.withLock { state in
            state.lastTimer += 1
            state.corks[state.lastTimer] = cork
            state.timers.add(deadline, key: state.lastTimer)
            return deadline < state.wakesAt
        }
        if wakes { poller.wake() }
    }

    private func callCorks(_ corks: [Cork]) {
        for cork in corks {
            if let deadline = cork.timeIsUp() { call(cork, at: deadline) }
        }
    }

    /// The slots and corks whose time is up, and when the next one's is.
    private func takeLate(_ late: inout [WaitSlot], _ corks: inout [Cork]) -> Deadline {
        let now = Deadline.now
        return state.withLock { state in
            while let timer = state.timers.popPast(at: now) {
                if let cork = state.corks.removeValue(forKey: timer) {
                    corks.append(cork)
                    continue
                }
                guard let timed = state.timed[timer] else { continue }
                if timed.deadline <= now {
                    state.timed[timer] = nil
                    late.append(timed.slot)
                } else {
                    state.timers.add(timed.deadline, key: timer)
                }
            }
            state.wakesAt = state.timers.earliest
            return state.wakesAt
        }
    }

    // MARK: The thread

    private func run() {
        var late: [WaitSlot] = []
        var corks: [Cork] = []
        var changes: [EdgePoller.Change] = []
        var reports: [(Readiness, EdgePoller.Change)] = []
        var writers: [Readiness] = []
        while true {
            state.withLock { swap(&$0.writers, &writers) }
            for readiness in writers { readiness.write() }
            writers.removeAll(keepingCapacity: true)
            let deadline = takeLate(&late, &corks)
            for slot in late { slot.knock() }
            late.removeAll(keepingCapacity: true)
            if !corks.isEmpty {
                callCorks(corks)
                corks.removeAll(keepingCapacity: true)
                // They may have asked for an earlier call than anybody else.
                continue
            }
            do throws(TransportError) {
                try poller.wait(until: deadline) { changes.append($0) }
            } catch {
                // The program has closed the reactor's descriptor. Tasks would sleep forever: let them
                // try from time to time.
                state.withLock { state in
                    for key in state.members.keys {
                        changes.append(
                            EdgePoller.Change(key: key, ready: [.read, .write], ended: [])
                        )
                    }
                }
                Threads.pause(.milliseconds(10))
            }
            finishedRounds.wrappingAdd(1, ordering: .relaxed)
            guard !changes.isEmpty else { continue }
            state.withLock { state in
                for change in changes {
                    guard let readiness = state.members[change.key]?.readiness else { continue }
                    reports.append((readiness, change))
                }
            }
            changes.removeAll(keepingCapacity: true)
            for (readiness, change) in reports {
                readiness.report(change.ready, ended: change.ended)
            }
            // The last reference to a connection may be released here, outside the lock.
            reports.removeAll(keepingCapacity: true)
        }
    }
}
