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
        } else if count >= 8 {
            maskEnds(destination, source, count, key, by: UInt64.self)
        } else if count >= 4 {
            maskEnds(destination, source, count, key, by: UInt32.self)
        } else if count > 0 {
            maskBytes(destination, source, count, key)
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

    /// One to three bytes: the first, the middle and the last are all there are.
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
    /// Both loads come before the first store, for the ranges may be the same.
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

    /// More than 16 bytes.
    @usableFromInline
    static func maskLong(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        if count > 128 {
            maskBlocks(destination, source, count, key)
        } else if count > 64 {
            maskEnds(destination, source, count, key, by: SIMD16<UInt32>.self)
        } else if count > 32 {
            maskEnds(destination, source, count, key, by: SIMD8<UInt32>.self)
        } else {
            maskEnds(destination, source, count, key, by: SIMD4<UInt32>.self)
        }
    }

    /// More than a block of 64 bytes; the loop's stores are aligned.
    ///
    /// What the loop leaves out at both ends is loaded before it and stored after it, for in place
    /// the loop overwrites some of it.
    @inline(__always)
    private static func maskBlocks(
        _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeRawPointer,
        _ count: Int,
        _ key: UInt32
    ) {
        typealias Block = SIMD16<UInt32>
        let lastOffset = count &- 64
        let first = source.loadUnaligned(as: Block.self)
        let last = source.loadUnaligned(fromByteOffset: lastOffset, as: Block.self)
        var offset = 64 &- Int(bitPattern: destination) & 63
        let blockKey = Block(key: rotate(key, offset))
        while offset < lastOffset {
            let block = source.loadUnaligned(fromByteOffset: offset, as: Block.self)
            destination.storeBytes(of: block ^ blockKey, toByteOffset: offset, as: Block.self)
            offset &+= 64
        }
        let lastKey = Block(key: rotate(key, count))
        destination.storeBytes(of: first ^ Block(key: key), as: Block.self)
        destination.storeBytes(of: last ^ lastKey, toByteOffset: lastOffset, as: Block.self)
    }
}
