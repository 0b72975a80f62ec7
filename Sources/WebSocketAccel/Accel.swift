/// The active kernels: their name, and their functions for whole payloads.
public enum Accel {
    /// The name of the kernels that run: "c-avx512", "c-avx2", "c-neon", "c-scalar" or "swift".
    ///
    /// The package trait `CAccel` decides between C and Swift when the package is built; with C kernels
    /// the processor's instruction sets decide when the program runs. The environment variable
    /// `WEBSOCKET_ACCEL_LEVEL` ("scalar", "avx2", "avx512" or "neon") forces a lower level than the
    /// processor's best; it is read once, before the first use.
    public static var backend: String { Kernels.name }

    /// Masks or unmasks a payload in place (RFC 6455 §5.3).
    ///
    /// - Parameters:
    ///   - bytes: The payload, of any length.
    ///   - key: The masking key; its first byte goes with the first byte of the payload.
    public static func mask(_ bytes: inout [UInt8], key: InlineArray<4, UInt8>) {
        bytes.withUnsafeMutableBytes { buffer in
            _ = Kernels.mask(buffer, key: UInt32(keyBytes: key))
        }
    }

    /// Returns whether a whole text is well-formed UTF-8 (RFC 3629), as every text message and every
    /// reason of a close frame has to be.
    ///
    /// For a text that comes in pieces there is ``UTF8Validator``.
    ///
    /// - Parameter bytes: The text; an empty one is valid.
    /// - Returns: `false` if a byte can't be right or the last code point is incomplete.
    public static func isValidUTF8(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { isValidUTF8($0) }
    }

    /// Returns whether a whole text is well-formed UTF-8 (RFC 3629), as every text message and every
    /// reason of a close frame has to be.
    ///
    /// - Parameter bytes: The text; an empty one is valid.
    /// - Returns: `false` if a byte can't be right or the last code point is incomplete.
    public static func isValidUTF8(_ bytes: RawSpan) -> Bool {
        bytes.withUnsafeBytes { isValidUTF8($0) }
    }

    private static func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var state = UTF8State()
        return Kernels.validate(bytes, state: &state) < 0 && state.isOnBoundary
    }
}

extension UInt32 {
    /// The four bytes of a masking key in the order in memory that ``Kernels`` expect.
    package init(keyBytes: InlineArray<4, UInt8>) {
        self.init(
            littleEndian: UInt32(keyBytes[0]) | UInt32(keyBytes[1]) << 8 | UInt32(keyBytes[2]) << 16
                | UInt32(keyBytes[3]) << 24
        )
    }
}
