import Testing

@testable import WebSocketClient

@Suite("The size of fragments")
struct FragmentSizerTests {
    private static let millisecond: Int64 = 1_000_000

    /// A connection that is always busy, and moves `rate` bytes a millisecond.
    private func size(
        after milliseconds: Int64,
        at rate: Int64,
        limit: Duration = .milliseconds(40),
        from sizer: FragmentSizer? = nil
    ) -> FragmentSizer {
        var sizer = sizer ?? FragmentSizer(limit: limit)
        for time in 0...milliseconds {
            sizer.note(
                sent: UInt64(time * rate) + 5_000,
                held: 5_000,
                at: time * Self.millisecond
            )
        }
        return sizer
    }

    @Test(
        "A fragment leaves within three eighths of the limit, at the rate that was measured",
        arguments: [
            // Milliseconds of the limit, bytes a millisecond, bytes of a fragment.
            (40, 1_250, 18_750),
            (20, 1_250, 9_375),
            (200, 1_250, 93_750),
            (40, 125_000, 1_875_000),
            (1, 1_000_000, 375_000),
            (1_000, 100, 37_500),
        ]
    )
    func share(limit: Int64, rate: Int64, expected: Int) {
        let sizer = size(after: 30 * limit, at: rate, limit: .milliseconds(limit))
        #expect(abs(sizer.size - expected) <= expected / 50)
    }

    @Test("It is 16 KiB before anything is known, at 1 KiB and 1 GiB it ends")
    func range() {
        #expect(FragmentSizer(limit: .milliseconds(20)).size == 16 << 10)
        #expect(FragmentSizer(limit: .seconds(20)).size == 16 << 10)
        #expect(size(after: 2_000, at: 1).size == 1 << 10)
        #expect(size(after: 2_000, at: 1 << 40).size == 1 << 30)
        #expect(size(after: 2_000, at: 1, limit: .nanoseconds(1)).size == 1 << 10)
    }

    @Test("A rate that falls, or rises, is followed within a few limits")
    func changes() {
        let fast = size(after: 1_000, at: 10_000)
        let slow = size(after: 160, at: 1_000, from: restarted(fast))
        #expect((15_000...24_000).contains(slow.size), "\(slow.size)")
        let again = size(after: 160, at: 10_000, from: restarted(slow))
        #expect((125_000...150_000).contains(again.size), "\(again.size)")
    }

    /// The same, with a clock and a count that begin anew.
    private func restarted(_ sizer: FragmentSizer) -> FragmentSizer {
        var sizer = sizer
        sizer.note(sent: 0, held: 0, at: 0)
        return sizer
    }

    @Test("Time in which there was nothing to send doesn't count")
    func idle() {
        var sizer = size(after: 1_000, at: 1_250)
        let before = sizer.size
        let sent: UInt64 = 1_250 * 1_000 + 5_000
        // All has been acknowledged, and then comes a message after an hour.
        sizer.note(sent: sent, held: 0, at: 1_005 * Self.millisecond)
        let hour: Int64 = 3_600_000 * Self.millisecond
        sizer.note(sent: sent, held: 0, at: hour)
        sizer.note(sent: sent + 100_000, held: 87_500, at: hour + 10 * Self.millisecond)
        #expect(abs(sizer.size - before) <= before / 20)
    }

    @Test("A system that has sent all it got shows a rate at least, so the size only rises")
    func unfilled() {
        var sizer = size(after: 1_000, at: 1_250)
        let before = sizer.size
        let start: UInt64 = 1_250 * 1_000 + 5_000
        sizer.note(sent: start + 1_000, held: 0, at: 1_100 * Self.millisecond)
        #expect(sizer.size == before)
        sizer.note(sent: start + 1_000_000, held: 0, at: 1_110 * Self.millisecond)
        #expect(sizer.size > 2 * before)
    }

    @Test("A pause counts with the bytes that end it, and not as a rate of nothing")
    func pause() {
        var sizer = size(after: 1_000, at: 1_250)
        let before = sizer.size
        let sent: UInt64 = 1_250 * 1_000 + 5_000
        for time: Int64 in 1_001...1_030 {
            sizer.note(sent: sent, held: 5_000, at: time * Self.millisecond)
        }
        #expect(sizer.size == before)
        sizer.note(sent: sent + 40_000, held: 5_000, at: 1_032 * Self.millisecond)
        #expect(abs(sizer.size - before) <= before / 10)
    }
}
