/// A generator that gives the same numbers each time (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(state: UInt64) {
        self.state = state
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Bytes as compressible as text: short words from a small set, some noise between.
    package mutating func message(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let word = UInt8.random(in: 0..<40, using: &self)
            if word < 4 { bytes.append(.random(in: 0...255, using: &self)) }
            bytes += [word, word &* 7, word ^ 90].prefix(Int(word % 3) + 1)
        }
        return Array(bytes.prefix(count))
    }

    package mutating func noise(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &self) }
    }
}
