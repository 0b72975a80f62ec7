import HTTPTypes
import Testing
import WebSocketProtocol

@Suite("Responses to the handshake")
struct HandshakeResponseTests {
    private static func excerpt(_ body: [UInt8]) -> String? {
        HandshakeResponse(statusCode: 500, reasonPhrase: "", headers: [:], body: body).excerpt
    }

    @Test("An excerpt ends before a character that is cut", arguments: 197...199)
    func cutCharacter(count: Int) {
        let letters = String(repeating: "x", count: count)
        #expect(Self.excerpt(Array("\(letters)😀".utf8)) == "\"\(letters)\"…")
    }

    @Test("A body that isn't UTF-8 has no excerpt", arguments: 4...8)
    func notText(count: Int) {
        #expect(Self.excerpt(Array("error".utf8) + [UInt8](repeating: 0xFF, count: count)) == nil)
    }
}
