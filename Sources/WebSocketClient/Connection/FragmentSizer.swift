/// How many bytes a fragment may have, so that a control frame behind it waits no longer than a limit, at
/// the rate at which the connection has moved bytes so far. It knows no clock: time is passed in.
struct FragmentSizer {
    /// In nanoseconds.
    private let limit: Double
    /// No sample is shorter, a quarter of the limit or 10 ms: acknowledgements come in bursts.
    private let shortestSample: Int64
    /// Bytes a nanosecond.
    private var rate: Double
    /// Where the sample begins that is being taken.
    private var mark: (moved: UInt64, time: Int64)?

    /// With less, a frame's header begins to count.
    private static let smallest = Double(1 << 10)
    private static let largest = Double(1 << 30)
    /// Before anything is known; at 10 Mbit/s, it leaves within 13 ms.
    private static let first = Double(16 << 10)
    /// The part of the limit that a fragment may take. The kernel may hold as many bytes before it, and a
    /// quarter is left for a rate that falls and for threads that wake late.
    private static let share = 3.0 / 8

    init(limit: Duration) {
        self.limit = max(limit / .nanoseconds(1), 1)
        shortestSample = Int64(min(self.limit / 4, 10_000_000))
        rate = Self.first / (self.limit * Self.share)
    }

    /// The most bytes of a fragment.
    var size: Int {
        Int(min(max(rate * limit * Self.share, Self.smallest), Self.largest))
    }

    /// Takes in what was found at a time, in nanoseconds: `sent` bytes have been given to the system since the
    /// beginning, of which it still holds `held`.
    mutating func note(sent: UInt64, held: Int, at time: Int64) {
        let moved = sent - min(sent, UInt64(clamping: held))
        guard let mark, moved >= mark.moved, moved > mark.moved || held > 0 else {
            // The first look, or one at a connection that has been idle.
            mark = (moved, time)
            return
        }
        let elapsed = time - mark.time
        // While nothing moves, the sample goes on, so that a pause counts with what ends it.
        guard elapsed >= shortestSample, elapsed > 0, moved > mark.moved else { return }
        self.mark = (moved, time)
        let sample = Double(moved - mark.moved) / Double(elapsed)
        // A system that holds nothing could have moved more: then the sample only says how much at least.
        guard held > 0 || sample > rate else { return }
        rate += (sample - rate) * Double(elapsed) / (Double(elapsed) + limit)
    }
}
