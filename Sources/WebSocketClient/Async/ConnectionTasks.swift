import Synchronization

/// What a connection needs once tasks use it: none of this exists before the first call that has to
/// wait.
final class ConnectionTasks: Sendable {
    let readiness: Readiness
    /// The lines of the tasks that receive and of those that send; one task at a time is inside each.
    let receivers = TaskLine()
    let senders = TaskLine()

    init(_ readiness: Readiness) { self.readiness = readiness }

    var reactor: Reactor { readiness.reactor }
}

extension Connection {
    /// One at a time, as a descriptor can be registered only once.
    private static let starting = Locked(())

    /// Lets tasks wait for the descriptor; made when it is first needed.
    func startedTasks() throws(WebSocketError) -> ConnectionTasks {
        if let tasks = tasks.load() { return tasks }
        do throws(TransportError) {
            return try Self.starting.withLock { _ throws(TransportError) in
                if let tasks = tasks.load() { return tasks }
                let readiness = try Readiness(of: stream, on: try Reactor.shared()) {
                    [weak sender] in sender?.writeRest()
                }
                _ = receiver.waitingTask.storeIfNil(readiness.receiving)
                _ = sender.readiness.storeIfNil(readiness)
                return tasks.storeIfNil(ConnectionTasks(readiness))
            }
        } catch {
            throw WebSocketError(error, during: .receiving)
        }
    }

    /// Lets other tasks run after many calls that never had to wait.
    func yieldFromTimeToTime() async {
        // Mostly used by one task at a time; a lost count does no harm.
        let calls = unawaitedCalls.load(ordering: .relaxed) &+ 1
        unawaitedCalls.store(calls, ordering: .relaxed)
        if calls.isMultiple(of: 256) { await Task.yield() }
    }
}
