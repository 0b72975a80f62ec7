/// A supply of masking keys from the kernel's random generator, drawn in bulk (RFC 6455 §5.3).
///
/// Each key is used once: a predictable key would let a web page shape the bytes on the wire (§10.3).
struct MaskingKeys: ~Copyable {
    private static let count = 4096
    private var keys: [UInt32] = []
    private var used = 0

    mutating func next() throws(TransportError) -> UInt32 {
        if used == keys.count {
            keys = try Self.draw()
            used = 0
        }
        defer { used += 1 }
        return keys[used]
    }

    private static func draw() throws(TransportError) -> [UInt32] {
        var keys = [UInt32](repeating: 0, count: count)
        var failure: TransportError?
        keys.withUnsafeMutableBytes { bytes in
            do throws(TransportError) { try RandomBytes.fill(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        return keys
    }
}
