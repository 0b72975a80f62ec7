/// Why a task stopped before its call was done.
enum TaskFailure: Error {
    case cancelled, timedOut
    case failed(WebSocketError)
}

/// Repeats an attempt, which never waits, until it succeeds; the task sleeps in between.
///
/// Rules:
///
/// * No turn is held while a task sleeps: turns belong to threads.
/// * An attempt that succeeded counts, even if the task has been cancelled or time has run out
///   meanwhile: nothing received is lost, and nothing accepted is reported as unsent.
/// * A task that never has to wait lets others run from time to time.
struct AttemptLoop {
    let slot: WaitSlot
    let reactor: Reactor
    /// Read after each attempt: the deadline of a closing connection may have been set meanwhile.
    var limit: () -> Deadline
    /// Whether the task's cancellation is ignored, as the limit bounds the loop.
    var isShielded = false
    /// Whether to ask for readiness before a wait, because a would-block isn't proof: over TLS, a
    /// record without data stops a read although the socket has more.
    var isReady: (Interest) -> Bool = { _ in false }

    /// How many attempts in a row before other tasks have their chance.
    private static let attemptsInARow = 64

    func run<Value>(
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) async throws(TaskFailure) -> Value {
        let result =
            if isShielded {
                await repeatedly(attempt)
            } else {
                await withTaskCancellationHandler {
                    await repeatedly(attempt)
                } onCancel: { [slot] in
                    slot.knock()
                }
            }
        return try result.get()
    }

    private func repeatedly<Value>(
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) async -> Result<Value, TaskFailure> {
        var attempts = 0
        while true {
            var interest: Interest?
            do throws(WebSocketError) {
                switch try attempt() {
                case .got(let value): return .success(value)
                case .again: break
                case .wait(let awaited): interest = isReady(awaited) ? nil : awaited
                }
            } catch {
                return .failure(.failed(error))
            }
            if !isShielded, Task.isCancelled { return .failure(.cancelled) }
            if let interest {
                let deadline = limit()
                if deadline.isPast { return .failure(.timedOut) }
                await slot.wait(for: interest, until: deadline, on: reactor)
            } else {
                attempts += 1
                guard attempts.isMultiple(of: Self.attemptsInARow) else { continue }
                // Time runs out even while bytes keep coming.
                if limit().isPast { return .failure(.timedOut) }
                await Task.yield()
            }
        }
    }
}
