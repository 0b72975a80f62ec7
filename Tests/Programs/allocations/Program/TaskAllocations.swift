import AllocationCounter
import Dispatch
import Synchronization
import WebSocketClient

/// The allocations of async calls that don't have to wait.
final class TaskAllocations: Sendable {
    private let isFine = Atomic<Bool>(true)
    private let isOver = DispatchSemaphore(value: 0)

    /// Counts in a task, while this thread waits. The server serves `/source` and `/sink`.
    static func check(_ server: String) -> Bool {
        let check = TaskAllocations()
        Task {
            do {
                try await check.run(server)
            } catch {
                print("FAILED \(error)")
                check.isFine.store(false, ordering: .relaxed)
            }
            check.isOver.signal()
        }
        check.isOver.wait()
        return check.isFine.load(ordering: .relaxed)
    }

    private func run(_ server: String) async throws {
        var options = ConnectOptions(timeout: .seconds(20))
        options.proxy = .none
        let source = try await WebSocket.connect(
            to: "\(server)source?size=16&count=\(Self.messages * (Self.rounds + 1))",
            options: options
        )
        try await source.send("go")
        // In one write, so that all arrive together.
        while !source.hasBufferedFrames { try await Task.sleep(for: .milliseconds(1)) }
        let bytes = [UInt8](repeating: 7, count: 16)
        let sink = try await WebSocket.connect(
            to: "\(server)sink?count=\(Int.max)",
            options: options
        )
        try await measure("await send(binary:) of 16 bytes", allowed: 0) {
            for _ in 0..<Self.messages { try await sink.send(binary: bytes) }
        }
        // The call's own allocations don't count as the messages'.
        try await measure("await forEachMessage", allowed: 8) {
            var count = 0
            try await source.forEachMessage { _, _ in
                count += 1
                return count < Self.messages
            }
        }
    }

    private static let messages = 100
    private static let rounds = 3

    private func measure(
        _ name: String,
        allowed: Int,
        _ body: () async throws -> Void
    ) async throws {
        try await body()
        var least = Int.max
        for _ in 0..<Self.rounds {
            let before = allocation_count()
            try await body()
            least = min(least, Int(allocation_count() - before))
        }
        let verdict = least <= allowed ? "ok    " : "FAILED"
        print("\(verdict) \(name): \(least) allocations for \(Self.messages) messages")
        if least > allowed { isFine.store(false, ordering: .relaxed) }
    }
}
