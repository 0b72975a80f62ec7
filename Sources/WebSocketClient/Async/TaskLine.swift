/// The order in which tasks use one half of a connection: first come, first served.
///
/// A task is in it for a whole call, across its suspensions; threads never are. The half's turn, which
/// belongs to threads, is taken only for steps that don't wait, so a task that sleeps keeps no thread out.
final class TaskLine: Sendable {
    private final class Waiter: @unchecked Sendable {
        // Safe to send: everything that changes is under the line's lock.
        let slot = WaitSlot()
        var isAdmitted = false
    }

    private struct State {
        var isBusy = false
        var waiters: [Waiter] = []
    }

    private let state = Locked(State())

    /// Whether a task is inside.
    var isOccupied: Bool { state.withLock { $0.isBusy } }

    /// How many wait to be let in.
    var waiterCount: Int { state.withLock { $0.waiters.count } }

    /// Enters if nobody is inside.
    func enterIfFree() -> Bool {
        state.withLock { state in
            guard !state.isBusy else { return false }
            state.isBusy = true
            return true
        }
    }

    /// Waits until it is the task's turn, the task is cancelled, or the deadline has passed. Cancellation is
    /// ignored by a task that is shielded.
    func enter(
        until deadline: Deadline,
        on reactor: Reactor,
        isShielded: Bool = false
    ) async throws(TaskFailure) {
        let waiter: Waiter? = state.withLock { state in
            guard state.isBusy else {
                state.isBusy = true
                return nil
            }
            let waiter = Waiter()
            state.waiters.append(waiter)
            return waiter
        }
        guard let waiter else { return }
        let failure =
            if isShielded {
                await wait(waiter, until: deadline, on: reactor, isShielded: true)
            } else {
                await withTaskCancellationHandler {
                    await wait(waiter, until: deadline, on: reactor, isShielded: false)
                } onCancel: {
                    waiter.slot.knock()
                }
            }
        if let failure { throw failure }
    }

    /// Lets the next task in.
    func leave() {
        let next = state.withLock { state -> WaitSlot? in
            guard !state.waiters.isEmpty else {
                state.isBusy = false
                return nil
            }
            let waiter = state.waiters.removeFirst()
            waiter.isAdmitted = true
            return waiter.slot
        }
        next?.knock()
    }

    private func wait(
        _ waiter: Waiter,
        until deadline: Deadline,
        on reactor: Reactor,
        isShielded: Bool
    ) async -> TaskFailure? {
        while true {
            await waiter.slot.wait(for: [], until: deadline, on: reactor)
            let failure: TaskFailure? =
                !isShielded && Task.isCancelled ? .cancelled : deadline.isPast ? .timedOut : nil
            let hasLeft = state.withLock { state -> Bool? in
                if waiter.isAdmitted { return false }
                guard failure != nil else { return nil }
                state.waiters.removeAll { $0 === waiter }
                return true
            }
            switch hasLeft {
            case true: return failure
            // Admitted, perhaps at the last moment: the caller checks for cancellation and time-out.
            case false: return nil
            case nil: continue
            }
        }
    }
}
