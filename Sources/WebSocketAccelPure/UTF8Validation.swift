extension SwiftKernels {
    /// Validates a piece of a stream: returns the index of the first byte that can't be right, or -1.
    ///
    /// `state` continues the stream, 0 begins one; on one already rejected the answer is 0.
    @inline(never)  // Inlined, it makes maskValidating slower for short pieces.
    public static func validate(
        _ bytes: UnsafeRawPointer,
        _ count: Int,
        _ state: inout UInt32
    ) -> Int {
        if count >= smallestPiece, let end = check(bytes, count, after: state) {
            state = end
            return -1
        }
        return UTF8Automaton.walk(bytes, count, &state)
    }

    /// ``validate(_:_:_:)`` of the source and ``mask(_:_:_:_:)`` of it to the destination in one pass
    /// over memory.
    ///
    /// The ranges must not overlap. After a failure the destination's contents and `key` are
    /// unspecified.
    @inlinable
    public static func maskValidating(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: inout UInt32,
        _ state: inout UInt32
    ) -> Int {
        let firstKey = key
        key = rotate(firstKey, count)
        guard count <= 16 else {
            return maskValidatingLong(destination, source, count, firstKey, &state)
        }
        maskTo16(destination, source, count, firstKey)
        return validate(source, count, &state)
    }

    @usableFromInline
    static func maskValidatingLong(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ firstKey: UInt32,
        _ state: inout UInt32
    ) -> Int {
        guard count > 128 else {
            maskTo128(destination, source, count, firstKey)  // Inlined: a call costs as much.
            return validate(source, count, &state)
        }
        // In pieces that are still in the first-level cache when the second loop comes to them. One
        // loop for both has too many vectors for the registers, and is slower.
        var offset = 0
        while true {
            let size = min(count &- offset, 8192)  // Whole keys.
            maskLong(destination + offset, source + offset, size, firstKey)
            let failure = validate(source + offset, size, &state)
            guard failure < 0 else { return offset &+ failure }
            offset &+= size
            guard offset < count else { return -1 }
        }
    }

    /// Three bytes for the automaton and a vector.
    private static let smallestPiece = 3 + 16

    /// Returns the state at the end, or nil if a byte can't be right.
    @inline(__always)
    private static func check(
        _ bytes: UnsafeRawPointer,
        _ count: Int,
        after state: UInt32
    ) -> UInt32? {
        // The automaton sees to the first three bytes, so that the vectors have three to look back at.
        guard UTF8Automaton.accepts(bytes, after: state) else { return nil }
        var faults = UTF8Faults()
        var isAfterASCII = false
        var offset = 3
        while offset &+ 64 <= count {
            let address = bytes + offset
            let a = UTF8Faults.load(address)
            let b = UTF8Faults.load(address + 16)
            let c = UTF8Faults.load(address + 32)
            let d = UTF8Faults.load(address + 48)
            if UTF8Faults.hasTopBit((a | b) | (c | d)) {
                var suspects = faults.checkContinuations(a, at: address)
                suspects |= faults.checkContinuations(b, at: address + 16)
                suspects |= faults.checkContinuations(c, at: address + 32)
                suspects |= faults.checkContinuations(d, at: address + 48)
                if !UTF8Faults.isZero(suspects) {
                    faults.checkRanges(at: address)
                    faults.checkRanges(at: address + 16)
                    faults.checkRanges(at: address + 32)
                    faults.checkRanges(at: address + 48)
                }
                isAfterASCII = false
            } else if !isAfterASCII {
                // The last code point before may be incomplete.
                _ = faults.checkContinuations(a, at: address)
                isAfterASCII = true
            }
            offset &+= 64
        }
        while offset < count {
            // The last vector overlaps the one before, unless it fits.
            let address = bytes + min(offset, count &- 16)
            let block = UTF8Faults.load(address)
            if UTF8Faults.hasTopBit(block) || !isAfterASCII {
                _ = faults.checkContinuations(block, at: address)
                faults.checkRanges(at: address)
                isAfterASCII = false
            }
            offset &+= 16
        }
        guard faults.isEmpty else { return nil }
        return UTF8Automaton.state(afterThree: bytes + (count &- 3))
    }
}
