import Glibc

/// Runs a function on a thread of its own; `join` returns its result.
package final class Background<Value: Sendable>: @unchecked Sendable {
    // Unchecked: the result is written before the thread ends and read after it was joined.
    private let body: @Sendable () throws -> Value
    private var result: Result<Value, any Error>?
    private var thread = pthread_t()
    private var isJoined = false

    package init(_ body: @escaping @Sendable () throws -> Value) {
        self.body = body
        let main = ThreadMain { self.result = Result { try body() } }
        pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadMain>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(main).toOpaque()
        )
    }

    deinit {
        if !isJoined { pthread_detach(thread) }
    }

    /// Interrupts the system call that the thread is in.
    package func signal(_ number: Int32) {
        pthread_kill(thread, number)
    }

    /// Waits for the thread's end; to be called once.
    package func join() throws -> Value {
        isJoined = true
        pthread_join(thread, nil)
        guard let result else { preconditionFailure("the thread has run") }
        return try result.get()
    }
}

private final class ThreadMain {
    let run: () -> Void

    init(_ run: @escaping () -> Void) {
        self.run = run
    }
}

/// The time that `body` takes.
package func elapsed(_ body: () throws -> Void) rethrows -> Duration {
    try SuspendingClock().measure(body)
}

/// Lets the calling thread sleep.
package func pause(_ duration: Duration) {
    usleep(UInt32(duration / .microseconds(1)))
}
