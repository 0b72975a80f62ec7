import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Reading a server's answer")
struct HandshakeResponseDecoderTests {
    /// Feeds a text in pieces; returns the decoder and how many bytes it took.
    static func decode(
        _ text: String,
        pieces: Int = .max,
        limits: HTTPLimits = HTTPLimits()
    ) throws -> (HandshakeResponseDecoder, taken: Int) {
        var decoder = HandshakeResponseDecoder(limits: limits)
        var taken = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            taken += try decoder.receive(piece)
            rest = rest.dropFirst(piece.count)
        }
        return (decoder, taken)
    }

    @Test("Bytes after a 101 are left for the frames", arguments: [1, 5, 1000])
    func switching(pieces: Int) throws {
        let head = "HTTP/1.1 101 Switching Protocols\r\nA: 1\r\nContent-Length: 5\r\n\r\n"
        let (decoder, taken) = try Self.decode(head + "\u{81}\u{0}frames", pieces: pieces)
        #expect(decoder.isComplete && taken == head.utf8.count)
        #expect(decoder.response?.statusCode == 101)
        #expect(decoder.response?.body == [])
    }

    @Test("A refusal comes with its body", arguments: [1, 5, 1000])
    func refusal(pieces: Int) throws {
        let text = "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nX: y\r\n\r\nno way\n"
        let (decoder, taken) = try Self.decode(text + "more", pieces: pieces)
        #expect(decoder.isComplete && taken == text.utf8.count)
        let response = try #require(decoder.response)
        #expect(
            response
                == HandshakeResponse(
                    statusCode: 403,
                    reasonPhrase: "Forbidden",
                    headers: ["Content-Length": "7", "X": "y"],
                    body: Array("no way\n".utf8)
                )
        )
        #expect("\(response)" == "403 Forbidden")
    }

    @Test("Part of a body is available before its end")
    func partialBody() throws {
        var (decoder, _) = try Self.decode("HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(!decoder.isComplete)
        #expect(decoder.response?.body == Array("half".utf8))
        #expect(decoder.response?.isBodyComplete == false)
        try decoder.finish()
        #expect(decoder.isComplete && decoder.response?.isBodyComplete == false)

        var (endless, _) = try Self.decode("HTTP/1.1 500\r\n\r\nhalf")
        #expect(!endless.isComplete)
        try endless.finish()
        #expect(endless.response?.isBodyComplete == true)
        #expect("\(try #require(endless.response))" == "500")
    }

    @Test("Interim responses are skipped, within the limits", arguments: [1, 1000])
    func interim(pieces: Int) throws {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        let final = "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"
        let (decoder, _) = try Self.decode(
            "HTTP/1.1 100 Continue\r\n\r\n" + hints + final,
            pieces: pieces
        )
        #expect(decoder.isComplete)
        #expect(decoder.response?.statusCode == 204 && decoder.response?.headers == ["A": "b"])

        let many = String(repeating: hints, count: 9)
        #expect(throws: MalformedHTTP.tooManyInterimResponses(maximum: 8)) {
            try Self.decode(many + final, pieces: pieces)
        }
        var failed = HandshakeResponseDecoder()
        #expect(throws: MalformedHTTP.self) { try failed.receive(Array(many.utf8)) }
        #expect(failed.response == nil, "an interim response isn't an answer")
        var limits = HTTPLimits()
        limits.maximumHeadBytes = 100
        #expect(throws: MalformedHTTP.self) {
            try Self.decode(hints + hints + hints + final, pieces: pieces, limits: limits)
        }
    }

    @Test("A stream that ends inside the head is an error")
    func incomplete() throws {
        var decoder = HandshakeResponseDecoder()
        #expect(throws: MalformedHTTP.incomplete(bytes: 0)) { try decoder.finish() }
        _ = try decoder.receive(Array("HTTP/1.1 100 \r\n\r\nHTTP/1.1".utf8))
        #expect(decoder.response == nil)
        #expect(throws: MalformedHTTP.incomplete(bytes: 25)) { try decoder.finish() }
    }

    @Test("Each fault has its own description")
    func descriptions() {
        let faults: [MalformedHTTP] = [
            .notHTTP, .startLine, .fieldLine(1), .foldedLine(1), .bareLineFeed,
            .lineTooLong(maximum: 1), .headTooLong(maximum: 1), .tooManyFields(maximum: 1),
            .tooManyInterimResponses(maximum: 1), .incomplete(bytes: 1),
        ]
        #expect(Set(faults.map(\.description)).count == faults.count)
    }
}
