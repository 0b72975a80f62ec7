/// Whether bytes look as if compressing them were in vain.
package enum Randomness {
    /// Whether the bytes look random, as those of images, archives and encrypted data do.
    ///
    /// Looks at 64 bytes, in eight runs spread over all of them, and counts the different ones: of random
    /// bytes 57, with a standard deviation of 2; of base64 41, of text fewer. A run has eight bytes, so that each
    /// byte of a number is looked at. That takes some forty nanoseconds, whatever the length.
    package static func isLikely(in bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= runs * runLength else { return false }
        let stride = (bytes.count - runLength) / (runs - 1)
        // A byte for each value: in a set of bits, each step would wait for the one before.
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 32) { words in
            words.initialize(repeating: 0)
            let seen = UnsafeMutableRawBufferPointer(words)
            for run in 0..<runs {
                for place in 0..<runLength { seen[Int(bytes[run &* stride &+ place])] = 1 }
            }
            // The bytes of a word add up to at most 32 each, and all of them to at most 64.
            let sums = words.reduce(0, &+)
            return (sums &* 0x0101_0101_0101_0101) >> 56 >= leastDistinct
        }
    }

    private static let runs = 8
    private static let runLength = 8
    private static let leastDistinct = 53
}
