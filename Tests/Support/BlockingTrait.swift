import Foundation
package import Testing

extension Trait where Self == BlockingTrait {
    /// For tests that block: Swift's own pool has a thread a processor, which sleeping tests would
    /// keep from all others.
    package static var blocking: BlockingTrait { BlockingTrait() }
}

/// Runs tests on threads of their own.
package struct BlockingTrait: TestTrait, SuiteTrait, TestScoping {
    package var isRecursive: Bool { true }

    @concurrent
    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(BlockingExecutor.shared) {
            try await function()
        }
    }
}

/// A few threads that may sleep: enough to overlap their waits, few enough to keep their time.
private final class BlockingExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked: the jobs are under the condition's lock.
    static let shared = BlockingExecutor(threads: 8)

    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []

    private init(threads: Int) {
        for _ in 0..<threads { Thread.detachNewThread { [self] in runJobs() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    private func runJobs() {
        while true {
            let job = condition.withLock {
                while jobs.isEmpty { condition.wait() }
                return jobs.removeFirst()
            }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
