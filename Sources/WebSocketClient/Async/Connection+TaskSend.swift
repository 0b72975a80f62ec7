import Synchronization
import WebSocketProtocol

// Sending for tasks. A frame is accepted in one attempt; from then on the connection owns it, and it
// goes out whole, before the next one, whatever happens to the task. Then the task waits until the
// stream has taken it: that is how a slow reader slows its sender down.
extension Connection {
    /// Calls `attempt`, inside the line, until it has accepted its frames, and waits until they have
    /// been sent.
    func sending(
        timeout: Duration?,
        _ attempt: (WaitSlot?, LazyDeadline) throws(SendFailure) -> Attempt<StreamPosition>
    ) async throws {
        var accepted: StreamPosition?
        try await sending(timeout: timeout, endingAt: &accepted, attempt)
    }

    /// As above; `accepted` is set to where the frames end once they have been accepted, even if the
    /// call throws later.
    func sending(
        timeout: Duration?,
        endingAt accepted: inout StreamPosition?,
        _ attempt: (WaitSlot?, LazyDeadline) throws(SendFailure) -> Attempt<StreamPosition>
    ) async throws {
        if Task.isCancelled { throw CancellationError() }
        if try sendAtOnce(timeout, &accepted, attempt) { return await yieldFromTimeToTime() }
        try await finishSending(timeout: timeout, endingAt: &accepted, attempt)
    }

    /// As above, if that takes no waiting; false otherwise.
    ///
    /// A function of its own, as the caller's async frame would otherwise have to hold what waiting
    /// needs, and be allocated for each message.
    private func sendAtOnce(
        _ timeout: Duration?,
        _ accepted: inout StreamPosition?,
        _ attempt: (WaitSlot?, LazyDeadline) throws(SendFailure) -> Attempt<StreamPosition>
    ) throws(WebSocketError) -> Bool {
        guard tasks.load()?.senders.isOccupied != true,
            case .got(let position) = try mapped({ () throws(SendFailure) in
                try attempt(nil, LazyDeadline(timeout))
            })
        else { return false }
        accepted = position
        return sender.hasWritten(position) || sender.isOnlyCorked
    }

    /// Waits for this task's place in the line, unless the message has been accepted, and then until
    /// the stream has taken it.
    private func finishSending(
        timeout: Duration?,
        endingAt accepted: inout StreamPosition?,
        _ attempt: (WaitSlot?, LazyDeadline) throws(SendFailure) -> Attempt<StreamPosition>
    ) async throws {
        let deadline = Deadline(timeout)
        do throws(TaskFailure) {
            let tasks = try await enterSendersLine(by: deadline)
            defer { tasks.senders.leave() }
            let loop = AttemptLoop(
                slot: tasks.readiness.sending,
                reactor: tasks.reactor,
                limit: { deadline }
            )
            if accepted == nil {
                accepted = try await loop.run { () throws(WebSocketError) in
                    try mapped { () throws(SendFailure) in
                        try attempt(tasks.readiness.sending, LazyDeadline(until: deadline))
                    }
                }
            }
            guard let accepted, !sender.hasWritten(accepted), !sender.isOnlyCorked else { return }
            try await loop.run { () throws(WebSocketError) in
                try mapped { () throws(SendFailure) in
                    try sender.attemptWriting(upTo: accepted, knocking: tasks.readiness.sending)
                }
            }
        } catch {
            throw sendingError(error, isAccepted: accepted != nil)
        }
    }

    /// Accepts a control frame, even while another thread sends; false while too many of them wait.
    func sendControl(_ frame: OutgoingFrame) throws -> Bool {
        if let end { throw end }
        let isAccepted: Bool
        do throws(SendFailure) {
            isAccepted = try sender.attemptControl(frame)
        } catch {
            throw sendError(error)
        }
        // The reactor has to write what the stream didn't take.
        if sender.hasUnsentBytes { _ = try startedTasks() }
        return isAccepted
    }

    func enterSendersLine(by deadline: Deadline) async throws(TaskFailure)
        -> ConnectionTasks
    {
        let tasks: ConnectionTasks
        do throws(WebSocketError) { tasks = try startedTasks() } catch { throw .failed(error) }
        try await tasks.senders.enter(until: deadline, on: tasks.reactor)
        return tasks
    }

    func mapped<Value>(
        _ attempt: () throws(SendFailure) -> Attempt<Value>
    ) throws(WebSocketError) -> Attempt<Value> {
        if let end { throw end }
        do throws(SendFailure) { return try attempt() } catch { throw sendError(error) }
    }

    func sendingError(_ failure: TaskFailure, isAccepted: Bool) -> any Error {
        switch failure {
        case .cancelled where isAccepted: WebSocketError.cancelled(.sending(isAccepted: true))
        case .cancelled: CancellationError()
        case .timedOut: WebSocketError.timedOut(.sending(isAccepted: isAccepted))
        case .failed(let error): error
        }
    }
}
