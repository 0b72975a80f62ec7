// The face of the active kernels. `#if CAccel` stands in this file and nowhere else.

#if CAccel
    internal import CWebSocketAccel
#else
    internal import WebSocketAccelPure
#endif

/// Where a UTF-8 check stands between two pieces of a stream.
package struct UTF8State: Sendable, Hashable {
    /// 6 times the number of a state of Bjoern Hoehrmann's automaton: 0 on a code point boundary,
    /// 1 rejected, up to 8 inside a code point.
    package var raw: UInt32 = 0

    package init() {}

    package var isOnBoundary: Bool { raw == 0 }
    package var isRejected: Bool { raw == 6 }
}

/// The active masking and validation loops.
///
/// A key is a `UInt32` whose bytes in memory are the masking key in wire order. Each masking
/// function returns the key rotated for the byte that follows, so that a payload may come in pieces.
package enum Kernels {
    /// "c-avx512", "c-avx2", "c-neon", "c-scalar" or "swift".
    package static var name: String {
        #if CAccel
            String(cString: wsa_active_kernels().pointee.name)
        #else
            "swift"
        #endif
    }

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
        guard let base = source.baseAddress else { return key }
        #if CAccel
            return wsa_mask(destination, base, source.count, key)
        #else
            return SwiftKernels.mask(destination, base, source.count, key)
        #endif
    }

    /// Continues a UTF-8 check; returns the index of the first byte that can't be right, or -1.
    ///
    /// Once rejected, always rejected: the answer is then 0 whatever the bytes are.
    package static func validate(_ bytes: UnsafeRawBufferPointer, state: inout UTF8State) -> Int {
        guard let base = bytes.baseAddress else { return state.isRejected ? 0 : -1 }
        #if CAccel
            return wsa_validate(base, bytes.count, &state.raw)
        #else
            return SwiftKernels.validate(base, bytes.count, &state.raw)
        #endif
    }

    /// Both in one pass over memory: validates `source` and writes it masked to `destination`.
    ///
    /// Returns the index of the first byte that can't be right, or -1; after a failure the contents
    /// of `destination` and `key` are unspecified. Otherwise `key` is rotated for the byte that
    /// follows. The two must not overlap.
    package static func copyMaskedValidating(
        from source: UnsafeRawBufferPointer,
        to destination: UnsafeMutableRawPointer,
        key: inout UInt32,
        state: inout UTF8State
    ) -> Int {
        guard let base = source.baseAddress else { return state.isRejected ? 0 : -1 }
        #if CAccel
            return wsa_mask_validating(destination, base, source.count, &key, &state.raw)
        #else
            return SwiftKernels.maskValidating(destination, base, source.count, &key, &state.raw)
        #endif
    }
}
