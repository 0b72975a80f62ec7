import Synchronization
import WebSocketProtocol

// Receiving for tasks: the attempts of Connection+Receive.swift, and a task's way to wait between them.
// A message goes to the task inside the line; a cancelled task has taken nothing.
extension Connection {
    /// Repeats an attempt to receive, made in turn, until it succeeds.
    func receiving<Value>(
        timeout: Duration?,
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) async throws -> Value {
        if Task.isCancelled { throw CancellationError() }
        // If a frame is there already, the task needn't enter the line, unless others wait in it.
        if tasks.load()?.receivers.isOccupied != true {
            for _ in 0..<2 {
                switch try inReceivingTurn(attempt) {
                case .got(let value):
                    await yieldFromTimeToTime()
                    return value
                case .again: continue
                case .wait: break
                }
                break
            }
        }
        let deadline = Deadline(timeout)
        return try await inReceiversLine(until: deadline) { tasks in
            try await receiving(by: deadline, tasks, attempt)
        }
    }

    /// As above, for a task that is in the receivers' line already.
    func receiving<Value>(
        by deadline: Deadline,
        _ tasks: ConnectionTasks,
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) async throws -> Value {
        do throws(TaskFailure) {
            return try await receivingLoop(tasks, by: deadline).run { () throws(WebSocketError) in
                try inReceivingTurn(knocking: tasks.readiness.receiving, attempt)
            }
        } catch {
            throw receivingError(error)
        }
    }

    /// Runs `body` inside the line of receivers.
    func inReceiversLine<Value>(
        until deadline: Deadline,
        _ body: (ConnectionTasks) async throws -> Value
    ) async throws -> Value {
        let tasks = try startedTasks()
        do throws(TaskFailure) {
            try await tasks.receivers.enter(until: deadline, on: tasks.reactor)
        } catch {
            throw receivingError(error)
        }
        defer { tasks.receivers.leave() }
        return try await body(tasks)
    }

    /// The next message, or fragment if those are delivered.
    func attemptMessage() throws(WebSocketError) -> Attempt<Message> {
        switch receiveStep(deliversFragments ? .fragments : .messages) {
        case .message(let message): return .got(message)
        case .fragment(let frame):
            let isText = receiver.decoder.assembler.messageOpcode == .text
            return .got(isText ? .text(frame.text) : .binary(frame.payload))
        case .control, .nothing: return .again
        case .wait(let interest): return .wait(interest)
        case .ended(let error): throw error
        }
    }

    /// The next message or fragment as a frame; on request, pings and pongs too.
    func attemptDataFrame(controlFrames: Bool) throws(WebSocketError) -> Attempt<Frame> {
        if deliversFragments {
            let attempt = try attemptFragment()
            guard case .got(let frame) = attempt, frame.opcode.isControl else { return attempt }
            return controlFrames && frame.opcode != .close ? attempt : .again
        }
        switch try attemptEvent() {
        case .got(.control(let opcode, let payload)):
            guard controlFrames, opcode != .close else { return .again }
            return .got(Frame(opcode: opcode, payload: Array(payload)))
        case .got(let event): return receiver.decoder.takeFrame(event).map { .got($0) } ?? .again
        case .again: return .again
        case .wait(let interest): return .wait(interest)
        }
    }

    /// Hands all messages that have arrived to `body`, one after the other; false once `body` returns
    /// false.
    func attemptMessages(
        _ body: (Opcode, UnsafeRawBufferPointer) -> Bool
    ) throws(WebSocketError) -> Attempt<Bool> {
        var hasGot = false
        for _ in 0..<256 {
            switch try attemptLending(to: body) {
            case .got(let goesOn?):
                guard goesOn else { return .got(false) }
                hasGot = true
            case .got(nil): break
            case .again: if hasGot { return .got(true) } else { return .again }
            case .wait(let interest):
                if hasGot { return .got(true) } else { return .wait(interest) }
            }
        }
        return hasGot ? .got(true) : .again
    }

    private func receivingLoop(_ tasks: ConnectionTasks, by deadline: Deadline) -> AttemptLoop {
        AttemptLoop(
            slot: tasks.readiness.receiving,
            reactor: tasks.reactor,
            // Once only the end is awaited, the closing handshake's time counts.
            limit: { [self] in
                awaitsFrames ? deadline.earlier(closeDeadline ?? .never) : closeDeadline ?? .never
            },
            isReady: { [stream] in stream.isReadableDespiteWouldBlock($0) }
        )
    }

    /// Makes an attempt in turn; while another thread holds the turn, the task waits for it to leave.
    private func inReceivingTurn<Value>(
        knocking slot: WaitSlot? = nil,
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) throws(WebSocketError) -> Attempt<Value> {
        guard receiver.turn.tryTake(orKnock: slot) else {
            // Checked after the slot has been registered: whoever ends the connection knocks as well.
            if let end { throw end }
            sender.uncork()
            return .wait([])
        }
        defer { receiver.leaveAsTask() }
        if closeDeadline?.isPast == true { report(.deadlinePassed) }
        if let end { throw end }
        let result = try attempt()
        if case .wait = result { sender.uncork() }
        return result
    }

    private func receivingError(_ failure: TaskFailure) -> any Error {
        switch failure {
        case .cancelled: return CancellationError()
        case .timedOut:
            if closeDeadline?.isPast == true { report(.deadlinePassed) }
            return end ?? WebSocketError.timedOut(.receiving)
        case .failed(let error): return error
        }
    }

    // MARK: Closing

    /// Performs the closing handshake, whether or not the task is cancelled: at most `timeout` in all.
    /// Returns the peer's close frame.
    func closing(_ payload: ClosePayload, timeout: Duration?) async throws -> ClosePayload? {
        guard end == nil else { return closeReceived }
        let tasks = try startedTasks()
        let deadline = beginClosing(payload, timeout: timeout)
        // A receiving task has to notice the new deadline.
        tasks.readiness.receiving.knock()
        do throws(TaskFailure) {
            try await tasks.receivers.enter(
                until: deadline,
                on: tasks.reactor,
                isShielded: true
            )
        } catch {
            report(.deadlinePassed)
            return closeReceived
        }
        defer { tasks.receivers.leave() }
        var loop = receivingLoop(tasks, by: deadline)
        loop.isShielded = true
        do throws(TaskFailure) {
            while true {
                _ = try await loop.run { () throws(WebSocketError) in
                    try inReceivingTurn(knocking: tasks.readiness.receiving) {
                        () throws(WebSocketError) in try attemptControl()
                    }
                }
            }
        } catch {
            // Time is up, unless the connection has ended.
            report(.deadlinePassed)
        }
        return closeReceived
    }
}

extension Turn {
    /// Takes the turn if it is free; otherwise knocks at `slot` when the turn is left or cancelled.
    func tryTake(
        as number: UInt = Threads.currentNumber,
        orKnock slot: WaitSlot?
    ) -> Bool {
        if tryTake(as: number) { return true }
        guard let slot else { return false }
        return take(as: number) { slot.knock() }
    }
}

extension ByteStream {
    /// Whether a read may find something although the last one would have blocked.
    fileprivate func isReadableDespiteWouldBlock(_ interest: Interest) -> Bool {
        guard isSecure, interest.contains(.read) else { return false }
        if hasBufferedInput { return true }
        var entries = [PollEntry(descriptor, for: .read)]
        return (try? Poll.wait(for: &entries, wakeUp: nil, until: .after(.zero))) == true
    }
}
