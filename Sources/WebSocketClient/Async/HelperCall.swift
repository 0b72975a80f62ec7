/// A blocking call on a thread of its own, for whose result a task waits: what a subclass overrides can't
/// be taken apart into attempts.
final class HelperCall<Value: Sendable>: Sendable {
    private let slot = WaitSlot()
    private let result = Locked<Value?>(nil)

    init(_ body: @escaping @Sendable () -> Value) throws(WebSocketError) {
        do throws(TransportError) {
            try Threads.start { [self] in
                let value = body()
                result.withLock { $0 = value }
                slot.knock()
            }
        } catch {
            throw WebSocketError(error, during: .connecting)
        }
    }

    /// Waits for the result, also in a task that has been cancelled; `onCancel` is called then, and may make
    /// the call end early.
    func value(onCancel: @escaping @Sendable () -> Void = {}) async -> Value {
        await withTaskCancellationHandler {
            while true {
                if let value = result.withLock({ $0 }) { return value }
                await slot.wait(for: [])
            }
        } onCancel: {
            onCancel()
        }
    }

    /// Waits for the result; `nil` once the task has been cancelled, and then another may wait.
    func valueUnlessCancelled() async -> Value? {
        await withTaskCancellationHandler {
            while true {
                if let value = result.withLock({ $0 }) { return value }
                if Task.isCancelled { return nil }
                await slot.wait(for: [])
            }
        } onCancel: {
            slot.knock()
        }
    }
}

/// A subclass's `receive()`, called for tasks: one call at a time. The call of a task that was cancelled
/// goes on, and its message goes to the next task.
final class OverriddenReceive: Sendable {
    private typealias Call = HelperCall<Result<Message, any Error>>

    private let line = TaskLine()
    private let underWay = Locked<Call?>(nil)

    func receive(on socket: WebSocket) async throws -> Message {
        if Task.isCancelled { throw CancellationError() }
        do throws(TaskFailure) {
            try await line.enter(until: .never, on: try reactor())
        } catch {
            switch error {
            case .failed(let error): throw error
            case .cancelled, .timedOut: throw CancellationError()
            }
        }
        defer { line.leave() }
        let call: Call
        if let known = underWay.withLock({ $0 }) {
            call = known
        } else {
            call = try Call { Result { try socket.receive() } }
            underWay.withLock { $0 = call }
        }
        guard let result = await call.valueUnlessCancelled() else { throw CancellationError() }
        underWay.withLock { $0 = nil }
        return try result.get()
    }

    private func reactor() throws(TaskFailure) -> Reactor {
        do throws(TransportError) {
            return try Reactor.shared()
        } catch {
            throw .failed(WebSocketError(error, during: .receiving))
        }
    }
}
