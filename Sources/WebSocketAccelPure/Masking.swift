/// The kernels of CWebSocketAccel in plain Swift, with the same meaning.
public enum SwiftKernels {
    /// Writes `count` bytes of `source` XOR `key` to `destination`; the ranges are the same or don't
    /// overlap.
    ///
    /// Returns the key rotated for the byte that follows.
    @inlinable
    public static func mask(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) -> UInt32 {
        if count > 16 {
            maskLong(destination, source, count, key)
        } else {
            maskTo16(destination, source, count, key)
        }
        return rotate(key, count)
    }

    /// The key for the byte that follows `count` bytes.
    @inlinable
    @inline(__always)
    static func rotate(_ key: UInt32, _ count: Int) -> UInt32 {
        let shift = UInt32(truncatingIfNeeded: 8 &* count)
        #if _endian(little)
            return key &>> shift | key &<< (0 &- shift)
        #else
            return key &<< shift | key &>> (0 &- shift)
        #endif
    }

    /// One to three bytes: the first, the middle and the last.
    @inlinable
    @inline(__always)
    static func maskBytes(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        let middleOffset = count &>> 1
        let lastOffset = count &- 1
        let first = source.load(as: UInt8.self)
        let middle = source.load(fromByteOffset: middleOffset, as: UInt8.self)
        let last = source.load(fromByteOffset: lastOffset, as: UInt8.self)
        let key = UInt32(littleEndian: key)
        let middleKey = key &>> UInt32(truncatingIfNeeded: 8 &* middleOffset)
        let lastKey = key &>> UInt32(truncatingIfNeeded: 8 &* lastOffset)
        destination.storeBytes(of: first ^ UInt8(truncatingIfNeeded: key), as: UInt8.self)
        destination.storeBytes(
            of: middle ^ UInt8(truncatingIfNeeded: middleKey),
            toByteOffset: middleOffset,
            as: UInt8.self
        )
        destination.storeBytes(
            of: last ^ UInt8(truncatingIfNeeded: lastKey),
            toByteOffset: lastOffset,
            as: UInt8.self
        )
    }

    /// One to two words: two loads and two stores that overlap as far as they must.
    ///
    /// Both loads come before the first store, because the ranges may be the same.
    @inlinable
    @inline(__always)
    static func maskEnds<Word: MaskWord>(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32,
        by type: Word.Type
    ) {
        let lastOffset = count &- MemoryLayout<Word>.size
        let first = source.loadUnaligned(as: Word.self)
        let last = source.loadUnaligned(fromByteOffset: lastOffset, as: Word.self)
        let lastKey = Word(key: rotate(key, count))
        destination.storeBytes(of: first.masked(by: Word(key: key)), as: Word.self)
        destination.storeBytes(
            of: last.masked(by: lastKey),
            toByteOffset: lastOffset,
            as: Word.self
        )
    }

    /// Up to 16 bytes; callers inline it.
    @inlinable
    @inline(__always)
    static func maskTo16(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        if count >= 8 {
            maskEnds(destination, source, count, key, by: UInt64.self)
        } else if count >= 4 {
            maskEnds(destination, source, count, key, by: UInt32.self)
        } else if count > 0 {
            maskBytes(destination, source, count, key)
        }
    }

    /// Up to 128 bytes.
    @inline(__always)
    static func maskTo128(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        if count > 64 {
            maskEnds(destination, source, count, key, by: SIMD16<UInt32>.self)
        } else if count > 32 {
            maskEnds(destination, source, count, key, by: SIMD8<UInt32>.self)
        } else if count > 16 {
            maskEnds(destination, source, count, key, by: SIMD4<UInt32>.self)
        } else {
            maskTo16(destination, source, count, key)
        }
    }

    /// Any number of bytes.
    @usableFromInline
    static func maskLong(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        if count > 128 {
            maskBlocks(destination, source, count, key)
        } else {
            maskTo128(destination, source, count, key)
        }
    }

    /// More than 128 bytes, in blocks of as many; the loop's stores are aligned.
    ///
    /// The bytes at both ends are loaded before the loop and stored after it: in place, the loop
    /// overwrites some of them.
    @inline(__always)
    private static func maskBlocks(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        typealias Words = SIMD16<UInt32>
        let lastOffset = count &- 64
        let blocksEnd = count &- 128
        let first = source.loadUnaligned(as: Words.self)
        let nextToLast = source.loadUnaligned(fromByteOffset: blocksEnd, as: Words.self)
        let last = source.loadUnaligned(fromByteOffset: lastOffset, as: Words.self)
        var offset = 64 &- Int(bitPattern: destination) & 63
        let blockKey = Words(key: rotate(key, offset))
        while offset < blocksEnd {
            let words = source.loadUnaligned(fromByteOffset: offset, as: Words.self)
            destination.storeBytes(of: words ^ blockKey, toByteOffset: offset, as: Words.self)
            offset &+= 64
            let more = source.loadUnaligned(fromByteOffset: offset, as: Words.self)
            destination.storeBytes(of: more ^ blockKey, toByteOffset: offset, as: Words.self)
            offset &+= 64
        }
        let lastKey = Words(key: rotate(key, count))
        destination.storeBytes(of: first ^ Words(key: key), as: Words.self)
        destination.storeBytes(of: nextToLast ^ lastKey, toByteOffset: blocksEnd, as: Words.self)
        destination.storeBytes(of: last ^ lastKey, toByteOffset: lastOffset, as: Words.self)
    }
}
