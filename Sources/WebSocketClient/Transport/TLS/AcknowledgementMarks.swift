/// Maps positions in the ciphertext to the plaintext that ends there, for positions that may still be
/// acknowledged.
///
/// The number of marks is limited, so a peer that acknowledges nothing doesn't fill the memory: when
/// there are too many, every second one is dropped, and its plaintext counts as ending at the next one.
/// The last mark always stays.
struct AcknowledgementMarks {
    private struct Mark {
        var plaintext: UInt64
        var ciphertext: UInt64
    }

    private static let capacity = 64

    /// In the order of both counts; those before `first` have been acknowledged.
    private var marks: [Mark] = []
    private var first = 0
    private var acknowledged: UInt64 = 0

    init() { marks.reserveCapacity(Self.capacity) }

    /// Adds a mark behind all others.
    mutating func append(plaintext: UInt64, ciphertext: UInt64) {
        if marks.count == Self.capacity { makeRoom() }
        marks.append(Mark(plaintext: plaintext, ciphertext: ciphertext))
    }

    /// How much plaintext is complete in the first `count` bytes of ciphertext.
    mutating func plaintext(ofAcknowledged count: UInt64) -> UInt64 {
        while first < marks.count, marks[first].ciphertext <= count {
            acknowledged = marks[first].plaintext
            first += 1
        }
        return acknowledged
    }

    private mutating func makeRoom() {
        if first > 0 {
            marks.removeSubrange(..<first)
            first = 0
            return
        }
        for index in 0..<marks.count / 2 { marks[index] = marks[2 * index + 1] }
        marks.removeSubrange((marks.count / 2)...)
    }
}
