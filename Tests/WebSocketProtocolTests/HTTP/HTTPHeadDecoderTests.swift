import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Heads of HTTP messages, RFC 9112")
struct HTTPHeadDecoderTests {
    /// Feeds a text in pieces of this many bytes; returns the decoder and how many bytes it took.
    static func decode<Line: HTTPStartLine>(
        _ text: String,
        as line: Line.Type,
        pieces: Int = .max,
        limits: HTTPLimits = HTTPLimits()
    ) throws(MalformedHTTP) -> (HTTPHeadDecoder<Line>, taken: Int) {
        var decoder = HTTPHeadDecoder<Line>(limits: limits)
        var rest = Array(text.utf8)[...]
        var taken = 0
        while !rest.isEmpty, decoder.head == nil {
            let piece = Array(rest.prefix(pieces))
            let count = try decoder.receive(piece)
            taken += count
            rest = rest.dropFirst(piece.count)
        }
        return (decoder, taken)
    }

    static let response = """
        HTTP/1.1 101 Switching Protocols\r
        Upgrade: websocket\r
        Connection:Upgrade\r
        X-Empty:\r
        X-Blanks: \t a  b \t\r
        X-UTF8: grün\r
        \r

        """

    @Test("A response is the same in any pieces", arguments: [1, 2, 3, 7, 64, .max])
    func pieces(size: Int) throws {
        let frames = "\u{81}\u{5}Hello"
        let (decoder, taken) = try Self.decode(
            Self.response + frames,
            as: StatusLine.self,
            pieces: size
        )
        let head = try #require(decoder.head)
        #expect(taken == Self.response.utf8.count)
        #expect(decoder.byteCount == taken)
        #expect(head.startLine.statusCode == 101)
        #expect(head.startLine.reasonPhrase == "Switching Protocols")
        #expect(head.startLine.minorVersion == 1)
        #expect(
            head.fields == [
                "Upgrade": "websocket", "Connection": "Upgrade", "X-Empty": "",
                "X-Blanks": "a  b", "X-UTF8": "grün",
            ]
        )
    }

    @Test("An incomplete head isn't reported")
    func prefixes() throws {
        for count in 0..<Self.response.utf8.count {
            let text = String(decoding: Self.response.utf8.prefix(count), as: UTF8.self)
            #expect(try Self.decode(text, as: StatusLine.self).0.head == nil)
        }
    }

    @Test("A value keeps bytes that aren't UTF-8; in a reason phrase they are read as ISO 8859-1")
    func latin1() throws {
        var decoder = HTTPHeadDecoder<StatusLine>()
        let bytes = Array("HTTP/1.1 400 Na".utf8) + [0xEF] + Array("f\r\nA: ".utf8) + [0xE9]
        _ = try decoder.receive(bytes + Array("\r\n\r\n".utf8))
        #expect(decoder.head?.startLine.reasonPhrase == "Naïf")
        let bytesOfValue = decoder.head?.fields.first?.withUnsafeBytesOfValue { Array($0) }
        #expect(bytesOfValue == [0xE9])
    }

    @Test(
        "Status lines of real servers are understood",
        arguments: [
            ("HTTP/1.0 200 Connection established", 200, "Connection established"),
            ("HTTP/1.1 403", 403, ""), ("HTTP/1.1 403 ", 403, ""),
            ("HTTP/1.1 599 a  b ", 599, "a  b"),
        ]
    )
    func statusLines(line: String, code: Int, reason: String) throws {
        let (decoder, _) = try Self.decode(line + "\r\n\r\n", as: StatusLine.self)
        #expect(decoder.head?.startLine.statusCode == code)
        #expect(decoder.head?.startLine.reasonPhrase == reason)
    }

    @Test(
        "A malformed status line is refused",
        arguments: [
            "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099 x",
            "HTTP/1.1  200 x", "HTTP/1.1 2x0 x", "HTTP/1.1 -20 x", "HTTP/1.11 200 x",
            "HTTP/1.x 200 x", "HTTP/1.1\t200 x", "HTTP/1.1 200 a\u{1B}b", "HTTP/1.1 200 a\0",
            "HTTP/1.1 200 a\rb", "HTTP/1.1 200 a\r",
        ]
    )
    func malformedStatusLine(line: String) {
        #expect(throws: MalformedHTTP.startLine) {
            try Self.decode(line + "\r\n\r\n", as: StatusLine.self)
        }
    }

    @Test(
        "Answers that aren't HTTP/1 are recognised by their first bytes",
        arguments: [
            "\u{15}\u{3}\u{3}", "SSH-2.0", "HTTP/2 200", "http/1.1 200", "\r\n", "\n", "HX",
        ]
    )
    func notHTTP(beginning: String) {
        #expect(throws: MalformedHTTP.notHTTP) {
            try Self.decode(beginning, as: StatusLine.self, pieces: 1)
        }
    }

    @Test(
        "A malformed field is refused with its number",
        arguments: [
            ("A: 1\r\nB\r\n", .fieldLine(2)), (": x\r\n", .fieldLine(1)),
            ("A : x\r\n", .fieldLine(1)), ("A\t: x\r\n", .fieldLine(1)),
            ("A B: x\r\n", .fieldLine(1)), ("A: x\0\r\n", .fieldLine(1)),
            ("A: x\ry\r\n", .fieldLine(1)), ("A: x\r\r\n", .fieldLine(1)),
            ("Ä: x\r\n", .fieldLine(1)), ("A: \u{1B}[2J\r\n", .fieldLine(1)),
            (" A: 1\r\n", .fieldLine(1)), ("A: 1\r\n 2\r\nB\r\n", .fieldLine(3)),
            ("A: 1\r\n \u{1B}\r\n", .fieldLine(2)),
        ] as [(String, MalformedHTTP)]
    )
    func malformedField(lines: String, failure: MalformedHTTP) {
        #expect(throws: failure) {
            try Self.decode("HTTP/1.1 200 OK\r\n" + lines + "\r\n", as: StatusLine.self)
        }
        #expect(throws: failure) {
            try Self.decode("HTTP/1.1 200 OK\r\n" + lines + "\r\n", as: StatusLine.self, pieces: 1)
        }
    }

    @Test(
        "A folded field of a response is one value, with a space for each fold",
        arguments: [
            ("A: 1\r\n 2\r\n", "1 2"), ("A: 1\r\n\t 2 \r\n  3\r\n", "1 2 3"), ("A:\r\n 2\r\n", "2"),
            ("A: 1\r\n \r\n 3\r\n", "1 3"), ("A: 1\n 2\n", "1 2"), ("A: 1\r\n \r\n", "1"),
        ],
        [1, 1000]
    )
    func folds(example: (lines: String, value: String), pieces: Int) throws {
        let text = "HTTP/1.1 200 OK\r\n" + example.lines + "B: x\r\n\r\n"
        let (decoder, _) = try Self.decode(text, as: StatusLine.self, pieces: pieces)
        #expect(decoder.head?.fields["A"] == example.value)
        #expect(decoder.head?.fields["B"] == "x" && decoder.head?.fields.count == 2)
    }

    @Test("A folded field of a request is refused with the number of its line")
    func foldedRequest() {
        for (lines, number) in [("A: 1\r\n 2\r\n", 1), ("A: 1\r\nB: 2\r\n\t3\r\n", 2)] {
            #expect(throws: MalformedHTTP.foldedLine(number)) {
                try Self.decode("GET / HTTP/1.1\r\n\(lines)\r\n", as: RequestLine.self)
            }
        }
    }

    @Test("A field folded many times may be as long as a line, and costs no more")
    func manyFolds() throws {
        let folds = String(repeating: " x\r\n", count: 8000)
        let (decoder, _) = try Self.decode(
            "HTTP/1.1 200 OK\r\nA: 1\r\n\(folds)\r\n",
            as: StatusLine.self
        )
        #expect(decoder.head?.fields["A"]?.utf8.count == 16_001)
        #expect(throws: MalformedHTTP.lineTooLong(maximum: 16384)) {
            try Self.decode(
                "HTTP/1.1 200 OK\r\nA: 1\r\n\(folds)\(folds)\r\n",
                as: StatusLine.self
            )
        }
    }

    @Test("A response may end its lines in LF, a request may not")
    func bareLineFeed() throws {
        let (decoder, _) = try Self.decode("HTTP/1.1 200 OK\nA: 1\r\nB: 2\n\n", as: StatusLine.self)
        #expect(decoder.head?.fields == ["A": "1", "B": "2"])
        for text in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: 1\n"] {
            #expect(throws: MalformedHTTP.bareLineFeed) {
                try Self.decode(text, as: RequestLine.self)
            }
        }
    }

    @Test("More fields than swift-http-types can hold are refused, whatever the limit")
    func mostFields() throws {
        var limits = HTTPLimits()
        limits.maximumFieldCount = .max
        limits.maximumHeadBytes = .max
        let lines = "HTTP/1.1 200 OK\r\n" + String(repeating: "A:1\r\n", count: 65_534)
        let (decoder, _) = try Self.decode(lines + "\r\n", as: StatusLine.self, limits: limits)
        #expect(decoder.head?.fields.count == 65_534)
        #expect(throws: MalformedHTTP.tooManyFields(maximum: 65_534)) {
            try Self.decode(lines + "A:1\r\n\r\n", as: StatusLine.self, limits: limits)
        }
    }

    @Test("A head is refused beyond each limit and not before", arguments: [1, 1000])
    func limits(pieces: Int) throws {
        var limits = HTTPLimits()
        limits.maximumLineBytes = 20
        limits.maximumFieldCount = 3
        limits.maximumHeadBytes = 60
        func decode(_ text: String) throws(MalformedHTTP) -> Bool {
            try Self.decode(text, as: StatusLine.self, pieces: pieces, limits: limits).0.head != nil
        }
        let status = "HTTP/1.1 200 OK\r\n"
        #expect(try decode(status + "A: 34567890123456789\r\n\r\n"))
        #expect(throws: MalformedHTTP.lineTooLong(maximum: 20)) {
            try decode(status + "A: 345678901234567890123\r\n\r\n")
        }
        #expect(throws: MalformedHTTP.lineTooLong(maximum: 20)) {
            try decode(status + String(repeating: "A", count: 23))
        }
        // A folded field counts as the line that it stands for.
        #expect(try decode(status + "A: 123456789\r\n 1234567\r\n\r\n"))
        #expect(throws: MalformedHTTP.lineTooLong(maximum: 20)) {
            try decode(status + "A: 123456789\r\n 12345678\r\n\r\n")
        }
        #expect(try decode(status + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"))
        #expect(throws: MalformedHTTP.tooManyFields(maximum: 3)) {
            try decode(status + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n")
        }
        let field = "A: 345678901234567\r\n"
        #expect(try decode(status + field + field + "\r\n"))
        #expect(throws: MalformedHTTP.headTooLong(maximum: 60)) {
            try decode(status + field + field + "ABCD")
        }
    }

    @Test("The defaults accept cookies of 8 KiB and stop an endless line")
    func defaultLimits() throws {
        let cookie = "Set-Cookie: " + String(repeating: "x", count: 8 << 10) + "\r\n"
        let text = "HTTP/1.1 200 OK\r\n" + cookie + cookie + "\r\n"
        #expect(try Self.decode(text, as: StatusLine.self).0.head != nil)
        #expect(throws: MalformedHTTP.lineTooLong(maximum: 16384)) {
            try Self.decode(
                "HTTP/1.1 " + String(repeating: "1", count: 20_000),
                as: StatusLine.self
            )
        }
    }

    @Test("A request line is method, target and version")
    func requestLine() throws {
        let (decoder, _) = try Self.decode(
            "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n",
            as: RequestLine.self
        )
        let line = try #require(decoder.head?.startLine)
        #expect(line.method == "GET" && line.target == "/x?y" && line.minorVersion == 1)
        for text in [
            "GET /", "GET  / HTTP/1.1", "GET / HTTP/2", "G(T / HTTP/1.1", " / HTTP/1.1",
            "GET /\u{7F} HTTP/1.1", "GET /ä HTTP/1.1", "GET / HTTP/1.1 ", "GET / x HTTP/1.1", "",
        ] {
            #expect(throws: MalformedHTTP.startLine) {
                try Self.decode(text + "\r\n\r\n", as: RequestLine.self)
            }
        }
    }
}
