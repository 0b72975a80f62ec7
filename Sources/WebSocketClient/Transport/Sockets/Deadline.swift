/// A moment on the monotonic clock by which something has to be done.
///
/// Time-outs become deadlines once, at the edge: a call that waits several times can't wait longer
/// than its limit.
package struct Deadline: Sendable, Hashable {
    /// The clock's reading in nanoseconds; `Int64.max` is never.
    let nanoseconds: Int64

    init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static let never = Deadline(nanoseconds: .max)

    /// How long a read may wait without checking a deadline.
    static let moment = Duration.milliseconds(20)

    /// The clock's reading.
    package static var now: Deadline {
        Deadline(nanoseconds: SystemCalls.monotonicNanoseconds())
    }

    /// `timeout` from now; a time-out of zero or less is past at once.
    package static func after(_ timeout: Duration) -> Deadline { now.advanced(by: timeout) }

    /// The moment `duration` later; never, if the clock can't represent it.
    package func advanced(by duration: Duration) -> Deadline {
        let (seconds, attoseconds) = duration.components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds > 0 ? .never : Deadline(nanoseconds: 0) }
        let (length, tooLong) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        let (sum, beyond) = nanoseconds.addingReportingOverflow(length)
        guard !tooLong, !beyond else { return length > 0 ? .never : Deadline(nanoseconds: 0) }
        return Deadline(nanoseconds: sum)
    }

    /// `timeout` from now; without a time-out, never.
    package init(_ timeout: Duration?) {
        self = timeout.map(Deadline.after) ?? .never
    }

    package var isPast: Bool {
        self != .never && SystemCalls.monotonicNanoseconds() >= nanoseconds
    }

    /// The time left, at least zero; `nil` if there is no limit.
    package var remaining: Duration? {
        guard self != .never else { return nil }
        return .nanoseconds(max(0, nanoseconds - SystemCalls.monotonicNanoseconds()))
    }

    /// How long the deadline has been past; negative before it.
    package var elapsed: Duration {
        .nanoseconds(SystemCalls.monotonicNanoseconds() - nanoseconds)
    }

    package func earlier(_ other: Deadline) -> Deadline {
        min(self, other)
    }

    /// The argument for poll(2): rounded up, so that the deadline is past when poll returns.
    var pollMilliseconds: Int32 {
        guard self != .never else { return -1 }
        let left = nanoseconds - SystemCalls.monotonicNanoseconds()
        guard left > 0 else { return 0 }
        let milliseconds = left / 1_000_000 + (left % 1_000_000 == 0 ? 0 : 1)
        return Int32(clamping: milliseconds)
    }
}

extension Deadline: Comparable {
    package static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
