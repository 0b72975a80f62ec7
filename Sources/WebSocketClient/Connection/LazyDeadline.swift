/// A deadline that reads the clock when it is first needed: most calls never wait.
struct LazyDeadline {
    let isImmediate: Bool
    private let timeout: Duration?
    private var deadline: Deadline?
    /// Whether it holds even while bytes keep coming. A call goes on beyond its deadline as long as
    /// it need not wait for its message, but not for ever: what isn't that message makes it strict.
    var isStrict = false

    init(_ timeout: Duration?) {
        self.timeout = timeout
        isImmediate = false
    }

    /// A deadline that counts from now.
    init(strict timeout: Duration) {
        self.timeout = timeout
        deadline = Deadline(timeout)
        isStrict = true
        isImmediate = false
    }

    private init() {
        timeout = .zero
        isImmediate = true
    }

    /// Never waits, nor asks the system whether waiting would have ended: for an owner that has
    /// asked already.
    static let immediate = LazyDeadline()

    /// Lets the time-out begin anew.
    mutating func restart() {
        deadline = nil
        isStrict = false
    }

    var value: Deadline {
        mutating get {
            if let deadline { return deadline }
            let deadline = Deadline(timeout)
            self.deadline = deadline
            return deadline
        }
    }

    /// Whether `Deadline.moment` is left.
    var leavesAMoment: Bool {
        mutating get {
            guard !isImmediate else { return false }
            guard let timeout else { return true }
            if deadline != nil { return value >= .after(Deadline.moment) }
            _ = value
            return timeout >= Deadline.moment
        }
    }

    /// Whether not even what is there may be read any more.
    var isOver: Bool {
        mutating get { isStrict && value.isPast }
    }
}
