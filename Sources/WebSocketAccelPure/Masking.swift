/// The kernels of CWebSocketAccel in plain Swift, with the same meaning.
public enum SwiftKernels {
    /// Writes `count` bytes of `source` XOR `key` to `destination`; the ranges are the same or don't
    /// overlap.
    ///
    /// Returns the key rotated for the byte that follows.
    public static func mask(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) -> UInt32 {
        if count > 16 {
            maskLong(destination, source, count, key)
        } else if count >= 8 {
            maskEnds(destination, source, count, key: wide(key), lastKey: wide(rotate(key, count)))
        } else if count >= 4 {
            maskEnds(destination, source, count, key: key, lastKey: rotate(key, count))
        } else if count > 0 {
            maskBytes(destination, source, count, key)
        }
        return rotate(key, count)
    }

    /// The key for the byte that follows `count` bytes.
    @inline(__always)
    static func rotate(_ key: UInt32, _ count: Int) -> UInt32 {
        #if _endian(little)
            let shift = UInt32(truncatingIfNeeded: 8 &* count)
            return key &>> shift | key &<< (0 &- shift)
        #else
            let shift = UInt32(truncatingIfNeeded: 8 &* count)
            return key &<< shift | key &>> (0 &- shift)
        #endif
    }

    @inline(__always)
    static func wide(_ key: UInt32) -> UInt64 {
        UInt64(key) &<< 32 | UInt64(key)
    }

    /// Between one and two `Word`s: two loads and two stores that overlap as far as they must.
    ///
    /// Both loads come before the first store, for the ranges may be the same.
    @inline(__always)
    private static func maskEnds<Word: FixedWidthInteger & BitwiseCopyable>(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        key: Word,
        lastKey: Word
    ) {
        let lastOffset = count &- MemoryLayout<Word>.size
        let first = source.loadUnaligned(as: Word.self)
        let last = source.loadUnaligned(fromByteOffset: lastOffset, as: Word.self)
        destination.storeBytes(of: first ^ key, as: Word.self)
        destination.storeBytes(of: last ^ lastKey, toByteOffset: lastOffset, as: Word.self)
    }

    /// One to three bytes: the first, the middle and the last are all there are.
    @inline(__always)
    private static func maskBytes(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        let middleOffset = count &>> 1
        let lastOffset = count &- 1
        let first = source.load(as: UInt8.self) ^ byte(of: key, at: 0)
        let middle =
            source.load(fromByteOffset: middleOffset, as: UInt8.self)
            ^ byte(of: key, at: middleOffset)
        let last =
            source.load(fromByteOffset: lastOffset, as: UInt8.self) ^ byte(of: key, at: lastOffset)
        destination.storeBytes(of: first, as: UInt8.self)
        destination.storeBytes(of: middle, toByteOffset: middleOffset, as: UInt8.self)
        destination.storeBytes(of: last, toByteOffset: lastOffset, as: UInt8.self)
    }

    @inline(__always)
    private static func byte(of key: UInt32, at index: Int) -> UInt8 {
        UInt8(
            truncatingIfNeeded: UInt32(littleEndian: key) &>> UInt32(truncatingIfNeeded: 8 &* index)
        )
    }

    private typealias Vector = SIMD16<UInt8>

    @inline(__always)
    private static func vector(_ key: UInt32) -> Vector {
        unsafeBitCast(SIMD4<UInt32>(repeating: key), to: Vector.self)
    }

    /// More than 16 bytes.
    ///
    /// What the loop leaves out at the end is loaded before it and stored after it, for in place the
    /// loop overwrites some of it.
    private static func maskLong(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        let lastOffset = count &- 16
        let last = source.loadUnaligned(fromByteOffset: lastOffset, as: Vector.self)
        let loopKey = vector(key)
        var offset = 0
        while offset &+ 64 <= lastOffset {
            let a = source.loadUnaligned(fromByteOffset: offset, as: Vector.self)
            let b = source.loadUnaligned(fromByteOffset: offset &+ 16, as: Vector.self)
            let c = source.loadUnaligned(fromByteOffset: offset &+ 32, as: Vector.self)
            let d = source.loadUnaligned(fromByteOffset: offset &+ 48, as: Vector.self)
            destination.storeBytes(of: a ^ loopKey, toByteOffset: offset, as: Vector.self)
            destination.storeBytes(of: b ^ loopKey, toByteOffset: offset &+ 16, as: Vector.self)
            destination.storeBytes(of: c ^ loopKey, toByteOffset: offset &+ 32, as: Vector.self)
            destination.storeBytes(of: d ^ loopKey, toByteOffset: offset &+ 48, as: Vector.self)
            offset &+= 64
        }
        while offset < lastOffset {
            let a = source.loadUnaligned(fromByteOffset: offset, as: Vector.self)
            destination.storeBytes(of: a ^ loopKey, toByteOffset: offset, as: Vector.self)
            offset &+= 16
        }
        destination.storeBytes(
            of: last ^ vector(rotate(key, count)),
            toByteOffset: lastOffset,
            as: Vector.self
        )
    }
}
