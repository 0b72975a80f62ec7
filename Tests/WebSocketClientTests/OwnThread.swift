import Testing

@testable import WebSocketClient

/// Runs each test on a thread of its own.
///
/// Tests that wait would otherwise keep the few threads of Swift's concurrency from running others,
/// whose time limits go on meanwhile.
struct OwnThread: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    @concurrent
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        try await withTaskExecutorPreference(Executor()) { try await function() }
    }

    private final class Executor: TaskExecutor {
        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            do {
                try Threads.start { [self] in
                    job.runSynchronously(on: asUnownedTaskExecutor())
                }
            } catch {
                job.runSynchronously(on: asUnownedTaskExecutor())
            }
        }
    }
}

extension Trait where Self == OwnThread {
    /// Runs each test on a thread of its own.
    static var ownThread: Self { OwnThread() }
}
