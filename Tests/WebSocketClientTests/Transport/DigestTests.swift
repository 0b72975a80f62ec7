import Testing

@testable import WebSocketClient

@Suite("Digests, base64 and random bytes")
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
        "Base64 of RFC 4648 §10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
    )
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(plain.utf8) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("What isn't padded base64 is none", arguments: ["Zg", "Zg=", "Z===", "Zm9v!A==", "===="])
    func badBase64(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(
        "Random bytes fill the whole buffer, and differ",
        arguments: [1, 4, 255, 256, 257, 70_000]
    )
    func random(count: Int) throws {
        var first = [UInt8](repeating: 0, count: count)
        var second = first
        try first.withUnsafeMutableBytes { try RandomBytes.fill($0) }
        try second.withUnsafeMutableBytes { try RandomBytes.fill($0) }
        if count >= 16 {
            #expect(first != second)
            #expect(first.suffix(16).contains { $0 != 0 })
        }
        try RandomBytes.fill(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
}
