/// A deadline that reads the clock when it is first needed: most calls never wait.
struct LazyDeadline {
    private(set) var isImmediate = false
    private let timeout: Duration?
    private var deadline: Deadline?
    /// Whether it applies even while bytes keep coming. A call goes on beyond its deadline as long as
    /// its message is there, but not forever: anything but that message makes the deadline strict, and
    /// so do `patience` attempts, as a peer may send a long message byte by byte.
    var isStrict = false
    private var attempts = 0
    /// Enough for a message that has arrived and fits into a buffer. Each attempt makes one read, which
    /// can be much work if TLS records contain little data.
    private static let patience = 4

    init(_ timeout: Duration?) {
        self.timeout = timeout
    }

    /// A deadline that has been fixed already.
    init(until deadline: Deadline, isStrict: Bool = true) {
        timeout = nil
        self.deadline = deadline
        self.isStrict = isStrict
    }

    /// Never waits, and doesn't poll the system either: for an owner that has done so already.
    static let immediate = LazyDeadline(.zero).withoutWaiting()

    /// The same limit for an attempt, which stops where a call would wait.
    func withoutWaiting() -> LazyDeadline {
        var deadline = self
        deadline.isImmediate = true
        return deadline
    }

    /// Restarts the time-out.
    mutating func restart() {
        deadline = nil
        isStrict = false
        attempts = 0
    }

    var value: Deadline {
        mutating get {
            if let deadline { return deadline }
            let deadline = Deadline(timeout)
            self.deadline = deadline
            return deadline
        }
    }

    /// Whether at least `Deadline.moment` is left.
    var leavesAMoment: Bool {
        mutating get {
            if let deadline { return deadline >= .after(Deadline.moment) }
            guard let timeout else { return true }
            _ = value
            return timeout >= Deadline.moment
        }
    }

    /// Whether even bytes that have arrived may no longer be read; called after each attempt without a
    /// message.
    mutating func isOverAfterAttempt() -> Bool {
        if !isStrict {
            attempts += 1
            isStrict = attempts >= Self.patience
        }
        return isStrict && value.isPast
    }
}
