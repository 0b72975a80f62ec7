import Synchronization

/// What a relay does to a connection.
enum Fault: String, CaseIterable {
    /// Nothing.
    case none
    /// Nothing goes through for up to a second.
    case pause
    /// Some thousand bytes go through one by one.
    case trickle
    /// Both ends of the connection are closed.
    case cut
    /// One direction is closed, the other goes on.
    case halfClose = "half-close"
    /// Both ends are reset.
    case reset
    /// Nothing goes through any more.
    case silence
    /// A bit is flipped; over TLS only, as nothing else would notice.
    case garble

    /// Whether the connection can go on as if nothing had happened.
    var isHarmless: Bool {
        switch self {
        case .none, .pause, .trickle: true
        default: false
        }
    }

    static func random(isSecure: Bool) -> Fault {
        switch Int.random(in: 0..<100) {
        case 0..<20: .none
        case 20..<35: .pause
        case 35..<50: .trickle
        case 50..<65: .cut
        case 65..<75: .halfClose
        case 75..<90: .reset
        case 90..<93: .silence
        default: isSecure ? .garble : .cut
        }
    }
}

/// The fault of one connection: it strikes when that many bytes have gone through.
final class FaultPlan: Sendable {
    let fault: Fault
    private let threshold: Int
    private let relayed = Atomic<Int>(0)
    private let struck = Atomic<Bool>(false)

    init(isSecure: Bool) {
        fault = Fault.random(isSecure: isSecure)
        // As many in the handshake as after a kilobyte or a megabyte.
        let magnitude = 1 << Int.random(in: 0...26)
        threshold = magnitude + Int.random(in: 0..<magnitude)
    }

    /// Whether the fault has struck.
    var hasStruck: Bool { struck.load(ordering: .sequentiallyConsistent) && fault != .none }

    /// Counts bytes; true once, when it is time.
    func strikes(after count: Int) -> Bool {
        let total = relayed.wrappingAdd(count, ordering: .sequentiallyConsistent).newValue
        return total >= threshold && !struck.exchange(true, ordering: .sequentiallyConsistent)
    }
}
