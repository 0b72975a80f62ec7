import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Digests and random bytes")
struct DigestTests {
    @Test("SHA-1 of the sample of RFC 6455 §1.3")
    func sha1() {
        let text = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        #expect(Base64.encode(SHA1.digest(Array(text.utf8))) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("SHA-256 of nothing")
    func sha256() {
        #expect(
            Base64.encode(SHA256.digest([])) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        )
    }

    @Test(
        "Random bytes fill the whole buffer, and differ",
        arguments: [16, 255, 256, 257, 70_000]
    )
    func random(count: Int) throws {
        var first = [UInt8](repeating: 0, count: count)
        var second = first
        try first.withUnsafeMutableBytes { try RandomBytes.fill($0) }
        try second.withUnsafeMutableBytes { try RandomBytes.fill($0) }
        #expect(first != second)
        #expect(first.suffix(16).contains { $0 != 0 })
        try RandomBytes.fill(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
}
