import TestSupport
import WebSocketClient

/// The results so far.
struct Totals {
    var messages = 0
    var bytes = 0
    var connections = 0
    var cleanEnds = 0
    var faults: [RelayPlan.Fault: Int] = [:]
    var errors: [String: Int] = [:]
    /// The longest time that a connection lived after its fault had struck.
    var slowestEnd = Duration.zero
    /// The failures.
    var failures: [String] = []

    var summary: String {
        let faults = RelayPlan.Fault.allCases.filter { $0 != .none }
            .map { "\($0.rawValue) \(self.faults[$0] ?? 0)" }.joined(separator: ", ")
        let errors = errors.sorted { $0.value > $1.value }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return """
            messages        \(messages) sent, returned and checked
            bytes           \(bytes) each way, every one hashed
            connections     \(connections), \(cleanEnds) of them closed cleanly
            faults          \(faults)
            errors          \(errors)
            slowest end     \(slowestEnd) after a fault
            """
    }
}

/// The totals of all workers.
final class Ledger: Sendable {
    private let totals = Locked(Totals())

    var current: Totals { totals.withLock { $0 } }

    func note(_ change: (inout Totals) -> Void) { totals.withLock { change(&$0) } }
}
