/// The faults of a text, found 16 bytes at a time.
///
/// Swift's vector operations have no look-up by byte, so this takes comparisons, in two steps. Every
/// byte: is it a continuation byte exactly if one is due, that is, after a lead byte, as the third
/// byte after E0 and above, or as the fourth after F0 and above? And where a lead byte is one of the
/// few that not every continuation byte may follow: is the second byte in its range?
struct UTF8Faults {
    typealias Bytes = SIMD16<UInt8>

    /// The top bit is set where a continuation byte is due and not there, or there and not due.
    private var dueOrNot = Bytes.zero

    /// Not zero where a byte is out of the range that the byte before leaves.
    private var outOfRange = Bytes.zero

    var isEmpty: Bool {
        !Self.hasTopBit(dueOrNot) && Self.isZero(outOfRange)
    }

    /// Checks that continuation bytes are where they are due.
    ///
    /// Three bytes before the address must be readable. Returns bytes that are not all zero if
    /// ``checkRanges(at:)`` has something to check.
    @inline(__always)
    mutating func checkContinuations(_ bytes: Bytes, at address: UnsafeRawPointer) -> Bytes {
        let one = Self.load(address - 1)
        let two = Self.load(address - 2)
        let three = Self.load(address - 3)
        // The subtractions leave the top bit to C0 and above, E0 and above, F0 and above.
        let isDue =
            Self.excess(one, over: 0xC0 - 0x80) | Self.excess(two, over: 0xE0 - 0x80)
            | Self.excess(three, over: 0xF0 - 0x80)
        let signed = unsafeBitCast(bytes, to: SIMD16<Int8>.self)
        let isContinuation = Self.bits(signed .< SIMD16<Int8>(repeating: -0x40))  // 80...BF
        dueOrNot |= isDue ^ isContinuation
        // C0, C1, E0, ED and above.
        return Self.equal(one & Bytes(repeating: 0xFE), 0xC0) | Self.equal(one, 0xE0)
            | Self.excess(one, over: 0xEC)
    }

    /// Checks that bytes at the address and after it are in the range that the byte before leaves.
    @inline(__always)
    mutating func checkRanges(at address: UnsafeRawPointer) {
        let bytes = Self.load(address)
        let one = Self.load(address - 1)
        // E0 and F0: below A0 and below 90 it would be overlong. C0 and C1: it would be in any case.
        let lowest =
            Self.equal(one, 0xE0) & Bytes(repeating: 0xA0)
            | Self.equal(one, 0xF0) & Bytes(repeating: 0x90)
            | Self.equal(one & Bytes(repeating: 0xFE), 0xC0)
        // ED: from A0 it would be a surrogate. F4: from 90, and F5 and above in any case, it would be
        // above U+10FFFF.
        let belowTop =
            Self.equal(one, 0xED) & Bytes(repeating: 0xFF - 0x9F)
            | Self.equal(one, 0xF4) & Bytes(repeating: 0xFF - 0x8F)
        outOfRange |=
            Self.excess(lowest, over: bytes)
            | Self.excess(bytes, over: Bytes(repeating: 0xFF) ^ belowTop)
            | Self.excess(one, over: 0xF4)
    }

    @inline(__always)
    static func load(_ address: UnsafeRawPointer) -> Bytes {
        address.loadUnaligned(as: Bytes.self)
    }

    @inline(__always)
    static func hasTopBit(_ bytes: Bytes) -> Bool {
        let words = unsafeBitCast(bytes, to: SIMD2<UInt64>.self)
        return (words.x | words.y) & 0x8080_8080_8080_8080 != 0
    }

    @inline(__always)
    static func isZero(_ bytes: Bytes) -> Bool {
        let words = unsafeBitCast(bytes, to: SIMD2<UInt64>.self)
        return words.x | words.y == 0
    }

    @inline(__always)
    private static func bits(_ mask: SIMDMask<SIMD16<Int8>>) -> Bytes {
        unsafeBitCast(mask, to: Bytes.self)
    }

    @inline(__always)
    private static func equal(_ bytes: Bytes, _ byte: UInt8) -> Bytes {
        bits(bytes .== Bytes(repeating: byte))
    }

    /// A saturating subtraction: one instruction, once the compiler has seen through it.
    @inline(__always)
    private static func excess(_ bytes: Bytes, over limit: Bytes) -> Bytes {
        (bytes &- limit) & bits(bytes .> limit)
    }

    @inline(__always)
    private static func excess(_ bytes: Bytes, over limit: UInt8) -> Bytes {
        excess(bytes, over: Bytes(repeating: limit))
    }
}
