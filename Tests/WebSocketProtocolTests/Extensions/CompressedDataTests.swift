import Testing
import WebSocketProtocol

@Suite("Data compressed by other programs")
struct CompressedDataTests {
    @Test("gzip data may refer back 32 KiB")
    func farReference() {
        // RFC 1951 §3.2.4: two blocks without compression.
        let block = (0..<32_768).map { UInt8(truncatingIfNeeded: $0 >> 8 &* 31 &+ $0) }
        let stored: [UInt8] = [0, 0x00, 0x80, 0xFF, 0x7F] + block
        // §3.2.6: a final block with fixed codes, which copies three bytes from 32,768 bytes before.
        let reference: [UInt8] = [0x03, 0xDE, 0xFF, 0x0F, 0x00]
        let content = block + block + block.prefix(3)
        // RFC 1952 §2.3: the shortest header, the checksum and the length.
        let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        let trailer =
            Self.littleEndian(Self.checksum(content))
            + Self.littleEndian(UInt32(content.count))
        let inflated = CompressedData.inflate(
            header + stored + stored + reference + trailer,
            format: .gzip,
            maximumBytes: content.count
        )
        #expect(inflated == content)
    }

    /// RFC 1952 §8: CRC-32.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = ~UInt32(0)
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        return ~sum
    }

    private static func littleEndian(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
