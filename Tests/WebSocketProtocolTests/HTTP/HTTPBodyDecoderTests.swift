import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Bodies of refusals, RFC 9112 §6")
struct HTTPBodyDecoderTests {
    struct Outcome: Equatable {
        var body: String
        var isComplete: Bool
        var hasEnded: Bool
        var taken: Int
    }

    static func decode(
        _ text: String,
        _ fields: HTTPFields,
        status: Int = 403,
        maximum: Int = 1000,
        pieces: Int,
        finish: Bool = true
    ) -> Outcome {
        var decoder = HTTPBodyDecoder(statusCode: status, fields: fields, maximumBytes: maximum)
        var taken = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            taken += decoder.receive(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
        }
        if finish { decoder.finish() }
        return Outcome(
            body: String(decoding: decoder.body, as: UTF8.self),
            isComplete: decoder.isComplete,
            hasEnded: decoder.hasEnded,
            taken: taken
        )
    }

    @Test("A body has the announced length", arguments: [1, 3, 100])
    func contentLength(pieces: Int) {
        let fields: HTTPFields = ["content-length": "5"]
        #expect(
            Self.decode("Hello, rest", fields, pieces: pieces, finish: false)
                == Outcome(body: "Hello", isComplete: true, hasEnded: true, taken: 5)
        )
        #expect(
            Self.decode("Hell", fields, pieces: pieces)
                == Outcome(body: "Hell", isComplete: false, hasEnded: true, taken: 4)
        )
        #expect(
            Self.decode("Hell", fields, pieces: pieces, finish: false)
                == Outcome(body: "Hell", isComplete: false, hasEnded: false, taken: 4)
        )
        #expect(
            Self.decode("x", ["Content-Length": "0"], pieces: pieces, finish: false)
                == Outcome(body: "", isComplete: true, hasEnded: true, taken: 0)
        )
        #expect(
            Self.decode(
                "Hello!",
                ["Content-Length": "5, 5", "content-length": "5"],
                pieces: pieces
            )
            .body == "Hello"
        )
    }

    @Test(
        "Without a meaningful length, a body ends with the stream",
        arguments: [
            [:], ["Content-Length": "-1"], ["Content-Length": "5x"], ["Content-Length": ""],
            ["Content-Length": "5", "content-length": "6"],
            ["Content-Length": "99999999999999999999999"],
            ["Transfer-Encoding": "gzip", "Content-Length": "2"],
            ["Transfer-Encoding": "chunked, gzip"],
        ] as [HTTPFields]
    )
    func untilEnd(fields: HTTPFields) {
        #expect(
            Self.decode("Hello", fields, pieces: 2)
                == Outcome(body: "Hello", isComplete: true, hasEnded: true, taken: 5)
        )
        #expect(!Self.decode("Hello", fields, pieces: 2, finish: false).hasEnded)
    }

    @Test("Chunks are joined", arguments: [1, 2, 7, 1000])
    func chunked(pieces: Int) {
        let text =
            "5\r\nHello\r\n1;ext=\"x\"\r\n,\r\n00b \r\n dear world\r\n0\r\nX: y\r\nZ: w\r\n\r\n"
        #expect(
            Self.decode(
                text + "more",
                ["Transfer-Encoding": "gzip, Chunked"],
                pieces: pieces,
                finish: false
            )
                == Outcome(
                    body: "Hello, dear world",
                    isComplete: true,
                    hasEnded: true,
                    taken: text.utf8.count
                )
        )
        #expect(
            Self.decode("3\nabc\n0\n\n", ["Transfer-Encoding": "chunked"], pieces: pieces)
                .isComplete
        )
    }

    @Test(
        "Malformed chunks end the body",
        arguments: [
            ("x\r\n", ""), ("\r\n", ""), ("-1\r\n", ""), ("5\r\nHelloX\r\n", "Hello"),
            ("5\r\nHello\r\n\r\n", "Hello"), ("1\r\na\r\nFFFFFFFFFFFFFFFFFF\r\n", "a"),
            ("1000000000000000\r\n", ""), ("5\r\nHel", "Hel"), ("0x5\r\nHello\r\n", ""),
            ("1\r\na\r\n0\r\n", "a"), ("1\r\na\r\n" + String(repeating: "0", count: 2000), "a"),
            ("1\r\na\r\n0\r\n" + String(repeating: "A: b\r\n", count: 5000), "a"),
        ]
    )
    func malformedChunks(text: String, body: String) {
        for pieces in [1, 10_000] {
            let outcome = Self.decode(text, ["Transfer-Encoding": "chunked"], pieces: pieces)
            #expect(outcome.body == body && !outcome.isComplete && outcome.hasEnded)
        }
    }

    @Test(
        "No more than the limit is kept, and the body is marked as incomplete",
        arguments: [1, 7, 1000]
    )
    func limit(pieces: Int) {
        let cut = Outcome(body: "Hell", isComplete: false, hasEnded: true, taken: 5)
        for fields: HTTPFields in [[:], ["Content-Length": "9"]] {
            let outcome = Self.decode(
                "Hello all",
                fields,
                maximum: 4,
                pieces: pieces,
                finish: false
            )
            #expect(outcome.body == cut.body && !outcome.isComplete && outcome.hasEnded)
        }
        let chunks = Self.decode(
            "3\r\nHel\r\n6\r\nlo all\r\n0\r\n\r\n",
            ["Transfer-Encoding": "chunked"],
            maximum: 4,
            pieces: pieces
        )
        #expect(chunks.body == cut.body && !chunks.isComplete)
        #expect(
            Self.decode("Hell", ["Content-Length": "4"], maximum: 4, pieces: pieces).isComplete
        )
        #expect(Self.decode("Hell", [:], maximum: 4, pieces: pieces).isComplete)
    }

    @Test("Some statuses have no body", arguments: [100, 101, 204, 304])
    func noBody(status: Int) {
        let outcome = Self.decode(
            "x",
            ["Content-Length": "1"],
            status: status,
            pieces: 1,
            finish: false
        )
        #expect(outcome == Outcome(body: "", isComplete: true, hasEnded: true, taken: 0))
    }
}
