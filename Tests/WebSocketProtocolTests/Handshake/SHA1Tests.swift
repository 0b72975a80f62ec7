import Testing
import WebSocketProtocol

@Suite("SHA-1")
struct SHA1Tests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    }

    @Test("The sample of RFC 6455 §1.3 has the right digest")
    func handshake() {
        let text = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        #expect(Base64.encode(SHA1.digest(Array(text.utf8))) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(
        "NIST's examples have the right digests",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
            ),
            (String(repeating: "a", count: 100_000), "c4d4b30851182fc4eb8675494d42fd7f17e29c93"),
        ]
    )
    func examples(text: String, digest: String) {
        #expect(hex(SHA1.digest(Array(text.utf8))) == digest)
    }

    @Test("Every length around a block and its padding has the right digest")
    func lengths() {
        // The digest of all digests, from CPython's hashlib.
        let digests = (0..<200).flatMap { count in
            SHA1.digest([UInt8](repeating: UInt8(count), count: count))
        }
        #expect(hex(SHA1.digest(digests)) == "3945425e01de26456751bc7df82ff27809984d08")
    }
}
