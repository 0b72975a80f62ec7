/// A supply of masking keys from the kernel's random generator, drawn in bulk (RFC 6455 §5.3).
///
/// Each key is used once, by one process: after fork(2) the child draws its own. A predictable key would
/// let a web page shape the bytes on the wire (§10.3).
struct MaskingKeys: ~Copyable {
    private static let count = 4096
    private var keys: [UInt32] = []
    private var used = 0
    /// The process that has drawn them.
    private var process = ProcessGeneration.current

    /// Inlined, as every message needs one.
    @inline(__always)
    mutating func next() throws(TransportError) -> UInt32 {
        if used == keys.count || !process.isCurrent { try refill() }
        defer { used += 1 }
        return keys[used]
    }

    private mutating func refill() throws(TransportError) {
        process = .current
        if keys.isEmpty {
            keys = [UInt32](repeating: 0, count: Self.count)
            used = Self.count
        }
        let result = keys.withUnsafeMutableBytes { bytes in
            Result { () throws(TransportError) in try RandomBytes.fill(bytes) }
        }
        // Older keys aren't used again, even if drawing new ones failed.
        used = Self.count
        try result.get()
        used = 0
    }
}
