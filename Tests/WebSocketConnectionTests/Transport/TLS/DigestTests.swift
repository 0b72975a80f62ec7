import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Digests and random bytes")
struct DigestTests {
    @Test("The SHA-256 of no bytes is right")
    func sha256() throws {
        #expect(
            Base64.encode(try SHA256.digest([])) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
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
