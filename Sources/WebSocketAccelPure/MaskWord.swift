/// A unit of masking: four bytes, eight, or a vector.
@usableFromInline
protocol MaskWord: BitwiseCopyable {
    /// The key, as often as it fits.
    init(key: UInt32)

    func masked(by key: Self) -> Self
}

extension UInt32: MaskWord {
    @inlinable
    @inline(__always)
    init(key: UInt32) { self = key }

    @inlinable
    @inline(__always)
    func masked(by key: Self) -> Self { self ^ key }
}

extension UInt64: MaskWord {
    @inlinable
    @inline(__always)
    init(key: UInt32) { self = UInt64(key) &<< 32 | UInt64(key) }

    @inlinable
    @inline(__always)
    func masked(by key: Self) -> Self { self ^ key }
}

extension SIMD4<UInt32>: MaskWord {
    @inlinable
    @inline(__always)
    init(key: UInt32) { self.init(repeating: key) }

    @inlinable
    @inline(__always)
    func masked(by key: Self) -> Self { self ^ key }
}

extension SIMD8<UInt32>: MaskWord {
    @inlinable
    @inline(__always)
    init(key: UInt32) { self.init(repeating: key) }

    @inlinable
    @inline(__always)
    func masked(by key: Self) -> Self { self ^ key }
}

extension SIMD16<UInt32>: MaskWord {
    @inlinable
    @inline(__always)
    init(key: UInt32) { self.init(repeating: key) }

    @inlinable
    @inline(__always)
    func masked(by key: Self) -> Self { self ^ key }
}
