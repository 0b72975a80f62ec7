import Foundation
package import Testing

extension Trait where Self == BlockingTrait {
    /// For tests that block: Swift's own pool has one thread per processor, which sleeping tests would
    /// keep from all others. Only a few of them run at once, so that each has the machine nearly to
    /// itself; one that hangs fails.
    package static var blocking: BlockingTrait { BlockingTrait(isAlone: false) }

    /// Like `blocking`, for a test that must not run beside another blocking test, because it measures
    /// or changes properties of the whole process.
    package static var alone: BlockingTrait { BlockingTrait(isAlone: true) }
}

/// Runs tests on threads of their own, a few at a time.
package struct BlockingTrait: TestTrait, SuiteTrait, TestScoping {
    /// How long a test may run before it counts as hanging: long enough for a slow machine, a
    /// sanitizer and other work beside it. The wait for a place isn't part of it, which is why this
    /// isn't Swift Testing's own time limit.
    private static let hangLimit = Duration.seconds(900)

    fileprivate let isAlone: Bool

    package var isRecursive: Bool { true }

    @concurrent
    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let places = isAlone ? Places.all : 1
        if let outer = Claim.current {
            // A suite's trait comes before its tests' own.
            await outer.extend(to: places)
            return try await function()
        }
        let claim = Claim()
        await claim.extend(to: places)
        defer { claim.giveBack() }
        let watchdog = Task {
            try await Task.sleep(for: Self.hangLimit)
            Issue.record("It has run for \(Self.hangLimit) and counts as hanging.")
        }
        defer { watchdog.cancel() }
        try await Claim.$current.withValue(claim) {
            try await withTaskExecutorPreference(BlockingExecutor.shared) {
                try await function()
            }
        }
    }
}

/// The places that one test holds.
private final class Claim: @unchecked Sendable {
    // Unchecked: only the task of its test uses it.
    @TaskLocal static var current: Claim?

    private var count = 0

    /// Gives back its places before it waits, so that two tests that want all of them don't deadlock.
    func extend(to wanted: Int) async {
        guard wanted > count else { return }
        giveBack()
        await Places.shared.take(wanted)
        count = wanted
    }

    func giveBack() {
        Places.shared.giveBack(count)
        count = 0
    }
}

/// Places for blocking tests, given out in the order of the requests.
private final class Places: @unchecked Sendable {
    // Unchecked: the state is under the lock.
    static let shared = Places()

    /// A test mostly waits for its peer, so two keep a processor busy.
    static let all = 2 * max(1, ProcessInfo.processInfo.activeProcessorCount)

    private let lock = NSLock()
    private var free = Places.all
    private var queue: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    func take(_ count: Int) async {
        await withCheckedContinuation { continuation in
            change { queue.append((count, continuation)) }
        }
    }

    func giveBack(_ count: Int) {
        change { free += count }
    }

    private func change(_ body: () -> Void) {
        let served = lock.withLock {
            body()
            var served: [CheckedContinuation<Void, Never>] = []
            while let next = queue.first, next.count <= free {
                free -= next.count
                served.append(queue.removeFirst().continuation)
            }
            return served
        }
        for continuation in served { continuation.resume() }
    }
}

/// A thread for each place.
private final class BlockingExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked: the jobs are under the condition's lock.
    static let shared = BlockingExecutor(threads: Places.all)

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
