import Glibc

/// A message that tells who sent it, as which one, and whether a byte of it was lost or changed.
package struct TestMessage: Sendable, Hashable {
    package static let minimumSize = 16

    package var sender: UInt32
    package var number: UInt32
    package var size: Int

    package init(sender: Int, number: Int, size: Int) {
        self.sender = UInt32(truncatingIfNeeded: sender)
        self.number = UInt32(truncatingIfNeeded: number)
        self.size = max(size, Self.minimumSize)
    }

    /// A prime period, so that blocks that changed places show.
    private static let period = 251
    private static let pattern = (0..<(8 << 20) + period).map { UInt8($0 % period) }

    private var start: Int { Int((sender &* 31 &+ number &* 7) % UInt32(Self.period)) }

    package var bytes: [UInt8] {
        var bytes = Self.header(sender, number, UInt64(size))
        bytes += Self.pattern[start..<start + size - bytes.count]
        return bytes
    }

    /// Reads a message back; `nil` if it isn't exactly as it was made.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.minimumSize else { return nil }
        let (sender, number, size) = bytes.withUnsafeBytes {
            (
                $0.loadUnaligned(as: UInt32.self),
                $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            )
        }
        guard size == bytes.count else { return nil }
        (self.sender, self.number, self.size) = (sender, number, bytes.count)
        let isEqual = bytes.withUnsafeBytes { bytes in
            Self.pattern.withUnsafeBytes { pattern in
                guard let left = bytes.baseAddress, let right = pattern.baseAddress else {
                    return false
                }
                let header = Self.minimumSize
                return memcmp(left + header, right + start, bytes.count - header) == 0
            }
        }
        guard isEqual else { return nil }
    }

    private static func header(_ sender: UInt32, _ number: UInt32, _ size: UInt64) -> [UInt8] {
        withUnsafeBytes(of: sender) { Array($0) } + withUnsafeBytes(of: number) { Array($0) }
            + withUnsafeBytes(of: size) { Array($0) }
    }
}
