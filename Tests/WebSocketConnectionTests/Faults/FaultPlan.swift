/// The plan for a stream: at most one fault at one byte, and how calls behave.
struct FaultPlan: Sendable, Hashable, CustomStringConvertible {
    /// The fault after a given number of bytes.
    enum Fault: CaseIterable {
        /// The call ends there; the next call gets the rest.
        case cut
        /// Nothing moves until one wait has timed out.
        case stallOnce
        /// Nothing moves from then on.
        case stall
        /// The connection is reset: received bytes can still be read, then every call fails.
        case reset
        /// The peer ends its side; sending to it after that resets the connection, if it was
        /// the receiving side that ended.
        case end
        /// Another thread calls `abort()`.
        case abort
    }

    enum Direction: CaseIterable { case inbound, outbound }

    /// How calls behave that could succeed.
    enum Interference: CaseIterable {
        case calm
        /// Every second call would block, although there is something.
        case again
        /// As `again`, but a reader has to wait for writing and a writer for reading, as in TLS.
        case crossed
        /// As `again`, and every second wait ends though nothing is ready, as by a signal.
        case interrupted
    }

    var fault: Fault?
    var direction = Direction.inbound
    /// How many bytes pass in that direction before the fault, counted from the plan's beginning.
    var offset = 0
    /// The most bytes that a call moves.
    var pieceBytes = Int.max
    var interference = Interference.calm
    /// A byte in that direction that the stream silently loses, which no real stream does: the checks
    /// that nothing is lost have to find it.
    var lostByte: Int?

    static let none = FaultPlan()

    /// One fault.
    static func at(_ offset: Int, _ direction: Direction, _ fault: Fault) -> FaultPlan {
        var plan = FaultPlan()
        plan.fault = fault
        plan.direction = direction
        plan.offset = offset
        return plan
    }

    var description: String {
        var words: [String] = []
        if let fault { words.append("\(fault) \(direction) at \(offset)") }
        if pieceBytes < .max { words.append("pieces of \(pieceBytes)") }
        if let lostByte { words.append("byte \(lostByte) \(direction) lost") }
        if interference != .calm { words.append("\(interference)") }
        return words.isEmpty ? "no fault" : words.joined(separator: ", ")
    }
}
