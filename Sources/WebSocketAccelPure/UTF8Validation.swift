extension SwiftKernels {
    /// Validates a piece of a stream: returns the index of the first byte that can't be right, or -1.
    ///
    /// `state` continues the stream, 0 begins one; on one already rejected the answer is 0.
    public static func validate(
        _ bytes: UnsafeRawPointer,
        _ count: Int,
        _ state: inout UInt32
    ) -> Int {
        var current = UInt64(state)
        if current == UTF8Automaton.rejected {
            return 0
        }
        var offset = 0
        let failure = UTF8Automaton.transitions.span.withUnsafeBufferPointer { transitions in
            while count &- offset >= 16 {
                if current == UTF8Automaton.boundary, isASCII(bytes + offset) {
                    offset &+= 16
                    continue
                }
                let before = current
                for index in 0..<16 {
                    let byte = bytes.load(fromByteOffset: offset &+ index, as: UInt8.self)
                    current = transitions[Int(byte)] &>> current
                }
                current &= 63
                if current == UTF8Automaton.rejected {
                    // It is somewhere in these 16 bytes: walk them again.
                    current = before
                    break
                }
                offset &+= 16
            }
            while offset < count {
                let byte = bytes.load(fromByteOffset: offset, as: UInt8.self)
                current = transitions[Int(byte)] &>> current & 63
                if current == UTF8Automaton.rejected {
                    return offset
                }
                offset &+= 1
            }
            return -1
        }
        state = UInt32(truncatingIfNeeded: current)
        return failure
    }

    /// Whether 16 bytes are ASCII.
    @inline(__always)
    private static func isASCII(_ bytes: UnsafeRawPointer) -> Bool {
        let words = bytes.loadUnaligned(as: SIMD2<UInt64>.self)
        return (words.x | words.y) & 0x8080_8080_8080_8080 == 0
    }

    /// ``validate(_:_:_:)`` of the source and ``mask(_:_:_:_:)`` of it to the destination in one pass.
    ///
    /// The ranges must not overlap. After a failure the destination's contents and `key` are
    /// unspecified.
    public static func maskValidating(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: inout UInt32,
        _ state: inout UInt32
    ) -> Int {
        // In pieces that are still in the first-level cache when the second loop comes to them.
        var offset = 0
        repeat {
            let size = min(count &- offset, 4096)
            let failure = validate(source + offset, size, &state)
            if failure >= 0 {
                return offset &+ failure
            }
            key = mask(destination + offset, source + offset, size, key)
            offset &+= size
        } while offset < count
        return -1
    }
}
