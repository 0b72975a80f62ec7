import Glibc

/// A message that shows its sender, its number, and whether a byte of it was lost or changed.
///
/// It is ASCII, so that it can go as text too.
package struct TestMessage: Sendable, Hashable {
    package static let minimumSize = 24

    package var sender: Int
    package var number: Int
    package var size: Int

    package init(sender: Int, number: Int, size: Int) {
        self.sender = sender
        self.number = number
        self.size = max(size, Self.minimumSize)
    }

    /// A prime period, so that swapped blocks show.
    private static let period = 127
    private static let pattern = {
        var pattern = (0..<period).map { UInt8($0) }
        while pattern.count < 8 << 20 { pattern += pattern }
        return pattern
    }()

    private var header: [UInt8] { Array("\(sender) \(number) \(size) ".utf8) }
    private var start: Int { (sender &* 31 &+ number &* 7) % Self.period }

    package var bytes: [UInt8] {
        var bytes = header
        bytes += Self.pattern[start..<start + size - bytes.count]
        return bytes
    }

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Reads a message back; `nil` if it isn't exactly as it was made.
    package init?(_ bytes: [UInt8]) {
        let fields = bytes.prefix(Self.minimumSize).split(separator: 0x20, maxSplits: 3)
        let numbers = fields.prefix(3).map { Int(String(decoding: $0, as: UTF8.self)) }
        guard bytes.count >= Self.minimumSize, numbers.count == 3, let sender = numbers[0],
            let number = numbers[1], numbers[2] == bytes.count
        else { return nil }
        (self.sender, self.number, size) = (sender, number, bytes.count)
        guard self.bytes.isEqual(to: bytes) else { return nil }
    }
}

extension [UInt8] {
    /// Like `==`, but as fast without optimisation as with it.
    package func isEqual(to other: [UInt8]) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else {
                    return true
                }
                return memcmp(first, second, left.count) == 0
            }
        }
    }
}
