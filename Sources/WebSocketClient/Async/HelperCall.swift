/// A blocking call on a thread of its own, whose result a task waits for: a method that a subclass
/// overrides can't be split into attempts.
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

    /// Waits for the result, even if the task is cancelled; `onCancel` is called then, and may make the
    /// call end early.
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

/// Calls a subclass's receiving method for tasks, one call at a time. After its task has been
/// cancelled, a call goes on, and its result goes to the next task.
final class OverriddenReceive<Value: Sendable>: Sendable {
    private typealias Call = HelperCall<Result<Value, any Error>>

    private let line = TaskLine()
    private let underWay = Locked<Call?>(nil)

    func value(of body: @escaping @Sendable () throws -> Value) async throws -> Value {
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
            call = try Call { Result { try body() } }
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

/// Calls of a subclass's `receiveDataFrame(controlFrames:)`, one for each value of the argument.
final class FrameCalls: Sendable {
    let withControlFrames = OverriddenReceive<Frame>()
    let withoutControlFrames = OverriddenReceive<Frame>()
}
