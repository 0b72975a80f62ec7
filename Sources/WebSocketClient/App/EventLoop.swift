/// Something that an ``EventLoop`` drives: it says what it waits for, and the loop advances it then.
///
/// All of it is called on the loop's thread.
protocol LoopMember: AnyObject {
    /// The descriptor to wait for, and the readiness to wait for; `nil` for none.
    var awaited: (descriptor: Int32, interest: Interest)? { get }

    /// When to advance at the latest.
    var deadline: Deadline { get }

    /// Does what can be done without waiting. `ready` is what the descriptor is ready for, and empty
    /// after a nudge. True if there is more to do, once the others have had their turn.
    func advance(ready: Interest) -> Bool

    /// The system can't wait for the descriptor. ``advance(ready:)`` follows.
    func cannotWait(_ error: TransportError)
}

/// One thread that waits for many members at a time: for their descriptors, for their deadlines, and
/// for what other threads leave for it to do.
///
/// The rules:
///
/// * One thread at a time runs the loop; members, timers and the poller belong to it.
/// * Other threads reach it through `mailbox` only, with ``post(_:)``, ``nudge(_:)`` and ``makeKey()``.
///   Whoever puts the first thing into an empty mailbox wakes the loop; the loop empties it in
///   each round.
/// * Jobs, functions and members run, and are released, without a lock: releasing what they capture may
///   run the user's code.
/// * A key belongs to one member or one function, and is never reused: an event that comes too late for
///   it is dropped.
final class EventLoop: @unchecked Sendable {
    // Safe to send: `mailbox` has a lock, `poller.wake()` is for any thread, and the rest belongs to
    // the thread that runs the loop.
    typealias Job = @Sendable () -> Void

    private struct Mailbox {
        var jobs: [Job] = []
        var nudged: [Int] = []
        var lastKey = 0

        var isEmpty: Bool { jobs.isEmpty && nudged.isEmpty }
    }

    private struct Entry {
        let member: any LoopMember
        /// What the poller waits for on the member's behalf.
        var descriptor: Int32?
        /// The deadline of its latest timer.
        var deadline = Deadline.never
    }

    private struct Function {
        let body: Job
        let keepsRunning: Bool
    }

    private let mailbox = Locked(Mailbox())
    private let poller: EventPoller
    private var entries: [Int: Entry] = [:]
    private var functions: [Int: Function] = [:]
    private var timers = TimerQueue()
    /// Members that have more to do at once.
    private var busy: Set<Int> = []

    init() throws(TransportError) {
        poller = try EventPoller()
    }

    // MARK: For any thread

    /// A key for a member.
    func makeKey() -> Int {
        mailbox.withLock { mailbox in
            mailbox.lastKey += 1
            return mailbox.lastKey
        }
    }

    /// Runs a function on the loop's thread.
    func post(_ job: @escaping Job) { put { $0.jobs.append(job) } }

    /// Lets a member advance.
    func nudge(_ key: Int) { put { $0.nudged.append(key) } }

    private func put(_ change: (inout Mailbox) -> Void) {
        let wasEmpty = mailbox.withLock { mailbox in
            let wasEmpty = mailbox.isEmpty
            change(&mailbox)
            return wasEmpty
        }
        if wasEmpty { poller.wake() }
    }

    // MARK: For the loop's thread

    /// Adds a member, and lets it advance.
    func add(_ member: any LoopMember, key: Int) {
        entries[key] = Entry(member: member)
        advance(key, ready: [])
    }

    /// Removes a member.
    func remove(_ key: Int) {
        stopWaiting(key)
        busy.remove(key)
        entries[key] = nil
    }

    /// Removes all members and functions.
    func removeAll() {
        for key in Array(entries.keys) { remove(key) }
        functions = [:]
        let former = mailbox.withLock { mailbox in
            let former = mailbox.jobs
            mailbox.jobs = []
            return former
        }
        withExtendedLifetime(former) {}
    }

    /// Stops waiting for a member's descriptor; to be called before the descriptor is closed.
    func stopWaiting(_ key: Int) {
        guard let descriptor = entries[key]?.descriptor else { return }
        poller.remove(descriptor)
        entries[key]?.descriptor = nil
    }

    /// Runs a function once, when the deadline has passed. The loop goes on until then, unless the
    /// function doesn't keep it running.
    func schedule(at deadline: Deadline, keepsRunning: Bool = true, _ body: @escaping Job) {
        let key = makeKey()
        functions[key] = Function(body: body, keepsRunning: keepsRunning)
        timers.add(deadline, key: key)
    }

    /// Drops the functions that keep the loop running.
    func dropFunctions() { functions = functions.filter { !$0.value.keepsRunning } }

    /// Runs until there is nothing left to do: no member, no job, and no function that counts.
    func run() throws(TransportError) {
        var ready: [(key: Int, interest: Interest)] = []
        while true {
            runMail()
            runTimers()
            for key in busy { advance(key, ready: .read) }
            if isIdle { return }
            let canWait = busy.isEmpty && hasNoMail
            try poller.wait(until: canWait ? timers.earliest : .now, ready: &ready)
            for (key, interest) in ready { advance(key, ready: interest) }
        }
    }

    // MARK: Inside

    private var hasNoMail: Bool { mailbox.withLock { $0.isEmpty } }

    private var isIdle: Bool {
        entries.isEmpty && hasNoMail && !functions.values.contains { $0.keepsRunning }
    }

    private func runMail() {
        let (jobs, nudged) = mailbox.withLock { mailbox in
            let mail = (mailbox.jobs, mailbox.nudged)
            mailbox.jobs = []
            mailbox.nudged = []
            return mail
        }
        for job in jobs { job() }
        for key in nudged { advance(key, ready: []) }
    }

    private func runTimers() {
        let now = Deadline.now
        while let key = timers.popPast(at: now) {
            if let function = functions.removeValue(forKey: key) {
                function.body()
            } else if let entry = entries[key], entry.member.deadline <= now {
                advance(key, ready: .read)
            }
        }
    }

    private func advance(_ key: Int, ready: Interest) {
        guard let member = entries[key]?.member else { return }
        let hasMore = member.advance(ready: ready)
        // It may have removed itself.
        guard entries[key] != nil else { return }
        if hasMore { busy.insert(key) } else { busy.remove(key) }
        wait(for: member, key)
        let deadline = member.deadline
        if deadline != entries[key]?.deadline {
            entries[key]?.deadline = deadline
            timers.add(deadline, key: key)
        }
    }

    private func wait(for member: any LoopMember, _ key: Int) {
        guard let (descriptor, interest) = member.awaited, !interest.isEmpty else {
            return stopWaiting(key)
        }
        if entries[key]?.descriptor != descriptor { stopWaiting(key) }
        do throws(TransportError) {
            try poller.set(interest, for: descriptor, key: key)
            entries[key]?.descriptor = descriptor
        } catch {
            // Nothing would ever make it advance again: it does so in the next round.
            member.cannotWait(error)
            busy.insert(key)
        }
    }
}
