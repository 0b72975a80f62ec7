import Foundation

/// A value that one thread provides and others wait for.
package final class Promise<Value: Sendable>: @unchecked Sendable {
    // Unchecked: the value is read and written under the condition's lock.
    private let condition = NSCondition()
    private var result: Result<Value, any Error>?

    package init() {}

    /// Gives the value; later ones are ignored.
    package func fulfil(_ value: Value) { settle(.success(value)) }

    /// Gives what `body` returns or throws.
    package func fulfil(with body: () throws -> Value) { settle(Result(catching: body)) }

    private func settle(_ result: Result<Value, any Error>) {
        condition.lock()
        if self.result == nil { self.result = result }
        condition.broadcast()
        condition.unlock()
    }

    package var isFulfilled: Bool {
        condition.withLock { result != nil }
    }

    /// Waits for the value; throws the provider's error, or an error when time runs out. The limit is
    /// long, as a server that waits for the end of its test must outlast it.
    package func value(within limit: Duration = .seconds(600)) throws -> Value {
        try condition.withLock {
            let limit = Date(timeIntervalSinceNow: limit / .seconds(1))
            while result == nil, condition.wait(until: limit) {}
            guard let result else { throw SupportError("nothing came within \(limit)") }
            return try result.get()
        }
    }
}

extension Promise<Void> {
    package func fulfil() { fulfil(()) }
}
