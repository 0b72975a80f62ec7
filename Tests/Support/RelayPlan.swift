import Synchronization

/// The plan for one relayed connection: one fault, after a given number of bytes.
package final class RelayPlan: Sendable {
    package enum Fault: String, CaseIterable, Sendable {
        /// Nothing.
        case none
        /// Nothing goes through for a while.
        case pause
        /// A few thousand bytes go through one by one, each in a segment.
        case trickle
        /// Bytes that came at once go through one by one, with a pause after each byte.
        case drip
        /// Both ends of the connection are closed.
        case cut
        /// One direction is closed, the other goes on.
        case halfClose = "half-close"
        /// Both ends are reset.
        case reset
        /// Nothing goes through from then on.
        case silence
        /// A bit is flipped; over TLS only, as nothing else would notice.
        case garble

        /// Whether the connection can go on as if nothing had happened.
        package var isHarmless: Bool {
            switch self {
            case .none, .pause, .trickle, .drip: true
            default: false
            }
        }
    }

    /// The direction of the bytes, seen from the client.
    package enum Direction: CaseIterable, Sendable { case outbound, inbound }

    package let fault: Fault
    package let pause: Duration
    private let direction: Direction?
    private let threshold: Int
    private let outbound = Atomic<Int>(0)
    private let inbound = Atomic<Int>(0)
    private let struck = Atomic<Bool>(false)

    /// The fault strikes after `threshold` bytes in this direction, or in both together.
    package init(
        _ fault: Fault,
        behind threshold: Int = 0,
        _ direction: Direction? = nil,
        pause: Duration = .milliseconds(30)
    ) {
        self.fault = fault
        self.threshold = threshold
        self.direction = direction
        self.pause = pause
    }

    /// How many bytes have come to the relay so far.
    package var relayed: (outbound: Int, inbound: Int) {
        (
            outbound.load(ordering: .sequentiallyConsistent),
            inbound.load(ordering: .sequentiallyConsistent)
        )
    }

    /// Whether the fault has struck.
    package var hasStruck: Bool {
        struck.load(ordering: .sequentiallyConsistent) && fault != .none
    }

    /// Counts bytes; returns, once, how many of them pass before the fault.
    func strikes(at count: Int, _ direction: Direction) -> Int? {
        switch direction {
        case .outbound: outbound.wrappingAdd(count, ordering: .sequentiallyConsistent)
        case .inbound: inbound.wrappingAdd(count, ordering: .sequentiallyConsistent)
        }
        guard self.direction == nil || self.direction == direction else { return nil }
        let relayed = relayed
        let total =
            switch self.direction {
            case .outbound: relayed.outbound
            case .inbound: relayed.inbound
            case nil: relayed.outbound + relayed.inbound
            }
        guard total > threshold, !struck.exchange(true, ordering: .sequentiallyConsistent) else {
            return nil
        }
        return max(0, min(count - 1, threshold - (total - count)))
    }
}
