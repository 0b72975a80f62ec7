import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Deadlines")
struct DeadlineTests {
    @Test("Never is later than everything and has no remaining time")
    func never() {
        #expect(Deadline.never > .after(.seconds(1_000_000)))
        #expect(Deadline.never.remaining == nil)
        #expect(!Deadline.never.isPast)
        #expect(Deadline(nil) == .never)
        #expect(Deadline.never.pollMilliseconds == -1)
    }

    @Test("A time-out of zero or less is past at once", arguments: [Duration.zero, .seconds(-1)])
    func past(timeout: Duration) {
        #expect(Deadline.after(timeout).isPast)
        #expect(Deadline.after(timeout).remaining == .zero)
        #expect(Deadline.after(timeout).pollMilliseconds == 0)
    }

    @Test("Times that the clock can't represent are never, or always past")
    func extremes() {
        #expect(Deadline.after(.seconds(Int64.max)) == .never)
        #expect(Deadline.after(.seconds(Int64.max / 1_000_000_000)) == .never)
        #expect(Deadline.after(.seconds(Int64.min)).isPast)
    }

    @Test("The earlier of two wins, and milliseconds are rounded up")
    func order() {
        let soon = Deadline.after(.microseconds(10))
        let later = Deadline.after(.seconds(10))
        #expect(soon.earlier(later) == soon)
        #expect(later.earlier(.never) == later)
        #expect((9_000...10_000).contains(later.pollMilliseconds))
        #expect(soon.pollMilliseconds <= 1)
    }
}
