/// A deadline that reads the clock when it is first needed: most calls never wait.
struct LazyDeadline {
    private let timeout: Duration?
    private var deadline: Deadline?

    init(_ timeout: Duration?) {
        self.timeout = timeout
    }

    var value: Deadline {
        mutating get {
            if let deadline { return deadline }
            let deadline = Deadline(timeout)
            self.deadline = deadline
            return deadline
        }
    }
}
