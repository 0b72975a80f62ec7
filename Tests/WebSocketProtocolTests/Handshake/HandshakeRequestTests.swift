import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("The request of the opening handshake, RFC 6455 §4.1")
struct HandshakeRequestTests {
    /// RFC 6455 §1.3: the bytes 0x01 to 0x10.
    static let key = Array(1...16) as [UInt8]

    static func lines(
        _ url: String = "ws://server.example/chat",
        _ change: (inout HandshakeRequest.Options) -> Void = { _ in }
    ) throws -> [String] {
        var options = HandshakeRequest.Options()
        change(&options)
        let request = try HandshakeRequest(url: WebSocketURL(url), key: key, options: options)
        let text = String(decoding: request.encode(), as: UTF8.self)
        #expect(text.hasSuffix("\r\n\r\n"))
        return text.split(separator: "\r\n").map(String.init)
    }

    static func expectRefusal(
        _ failure: InvalidHandshakeRequest,
        _ change: (inout HandshakeRequest.Options) -> Void
    ) {
        #expect(throws: failure) { try lines("ws://a", change) }
    }

    @Test("The fields come in websocket-client's order")
    func order() throws {
        #expect(
            try Self.lines() == [
                "GET /chat HTTP/1.1", "Upgrade: websocket", "Host: server.example",
                "Origin: http://server.example", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==",
                "Sec-WebSocket-Version: 13", "Connection: Upgrade",
            ]
        )
        let all = try Self.lines("wss://u:p@[::1]:8443/x?y#z") {
            $0.subprotocols = ["chat", "superchat"]
            $0.deflate = DeflateOptions()
            $0.fields = ["X-B": "1", "X-A": "grün", "X-B": "2"]
            $0.cookie = "a=b"
        }
        #expect(
            all == [
                "GET /x?y HTTP/1.1", "Upgrade: websocket", "Host: [::1]:8443",
                "Origin: https://[::1]:8443", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==",
                "Sec-WebSocket-Version: 13", "Connection: Upgrade",
                "Sec-WebSocket-Protocol: chat,superchat",
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                "Authorization: Basic dTpw", "X-B: 1", "X-A: grün", "X-B: 2", "Cookie: a=b",
            ]
        )
    }

    @Test("Host and origin can be replaced or omitted")
    func choices() throws {
        let custom = try Self.lines {
            $0.host = .custom("other:1")
            $0.origin = .custom("null")
        }
        #expect(custom.contains("Host: other:1") && custom.contains("Origin: null"))
        let without = try Self.lines {
            $0.host = .omitted
            $0.origin = .omitted
        }
        #expect(!without.contains { $0.hasPrefix("Host") || $0.hasPrefix("Origin") })
    }

    @Test("The connection value may be given by itself or as a line")
    func connection() throws {
        for text in ["keep-alive, Upgrade", "Connection: keep-alive, Upgrade"] {
            let lines = try Self.lines { $0.connection = text }
            #expect(
                lines.filter { $0.hasPrefix("Connection") } == ["Connection: keep-alive, Upgrade"]
            )
        }
    }

    @Test("The caller's field replaces the generated one")
    func overrides() throws {
        var options = HandshakeRequest.Options()
        options.subprotocols = ["ignored"]
        options.fields = [
            "sec-websocket-key": " dGhlIHNhbXBsZSBub25jZQ== ", "Sec-WebSocket-Version": " 13",
            "host": "h", "origin": "o", "Sec-WebSocket-Protocol": "a, b", "authorization": "x",
        ]
        let url = try WebSocketURL("ws://u:p@a")
        let request = try HandshakeRequest(url: url, key: Self.key, options: options)
        #expect(request.key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(request.subprotocols == ["a", "b"])
        let names = request.fields.map { $0.name.canonicalName }
        #expect(names.count == 8 && Set(names).count == 8)
        #expect(request.fields["Sec-WebSocket-Version"] == "13")
        #expect(request.fields["Authorization"] == "x")
        #expect(request.fields["Host"] == "h" && request.fields["Origin"] == "o")
    }

    @Test("All cookies are in one Cookie field")
    func cookies() throws {
        let lines = try Self.lines {
            $0.fields = ["cookie": "a=1", "X": "y", "Cookie": "b=2"]
            $0.cookie = "c=3"
        }
        #expect(lines.suffix(2) == ["X: y", "Cookie: a=1; b=2; c=3"])
    }

    @Test(
        "No value can end a line early",
        arguments: ["\r", "\n", "\r\nX: y", "\0", "\u{1B}", "\u{7F}"]
    )
    func injection(text: String) {
        let value = "s3cret" + text
        Self.expectRefusal(.host) { $0.host = .custom(value) }
        Self.expectRefusal(.origin) { $0.origin = .custom(value) }
        Self.expectRefusal(.connection) { $0.connection = value }
        Self.expectRefusal(.cookie) { $0.cookie = value }
        Self.expectRefusal(.subprotocol(index: 1)) { $0.subprotocols = ["a", value] }
    }

    @Test(
        "A control character that the field type lets through is refused",
        arguments: [1, 27, 127]
    )
    func lenientValue(byte: UInt8) {
        let field = HTTPField(name: "X", lenientValue: [0x61, byte])
        Self.expectRefusal(.fieldValue(name: "X")) { $0.fields = HTTPFields([field]) }
    }

    @Test(
        "Fields that contradict the handshake are refused",
        arguments: [
            ["Host": "a", "host": "b"], ["Origin": "a", "origin": "a"],
            ["Sec-WebSocket-Key": "AQIDBAUGBwgJCgsMDQ4PEA==", "sec-websocket-key": "x"],
            ["Sec-WebSocket-Key": "c2hvcnQ="], ["Sec-WebSocket-Key": ""],
            ["Sec-WebSocket-Version": "8"],
            ["Sec-WebSocket-Version": "13", "sec-websocket-version": "13"],
            ["Upgrade": "h2c"], ["Connection": "close"],
            ["Authorization": "a", "authorization": "b"],
        ] as [HTTPFields]
    )
    func contradictions(fields: HTTPFields) {
        var options = HandshakeRequest.Options()
        options.fields = fields
        let error = #expect(throws: InvalidHandshakeRequest.self) {
            try HandshakeRequest(url: WebSocketURL("ws://a"), key: Self.key, options: options)
        }
        guard case .contradiction = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test("Subprotocols are distinguished by their bytes, and K from U+212A")
    func subprotocolBytes() throws {
        Self.expectRefusal(.subprotocol(index: 0)) { $0.subprotocols = ["\u{212A}"] }
        #expect(throws: HandshakeFailure.unofferedSubprotocol("\u{212A}")) {
            try HandshakeNegotiationTests.negotiate(subprotocols: ["K"]) {
                $0[.secWebSocketProtocol] = "\u{212A}"
            }
        }
    }

    @Test("Options that would break the connection are refused")
    func refusals() {
        Self.expectRefusal(.subprotocol(index: 0)) { $0.subprotocols = [""] }
        Self.expectRefusal(.subprotocol(index: 0)) { $0.subprotocols = ["a b"] }
        Self.expectRefusal(.subprotocol(index: 2)) { $0.subprotocols = ["a", "b", "a"] }
        Self.expectRefusal(.host) { $0.host = .custom("a/b") }
        Self.expectRefusal(.host) { $0.host = .custom("") }
        Self.expectRefusal(.host) { $0.fields = ["Host": "a b"] }
        Self.expectRefusal(.origin) { $0.origin = .custom("") }
        for name: HTTPField.Name in [
            "sec-websocket-extensions", "Content-Length", "Transfer-Encoding",
        ] {
            Self.expectRefusal(.reservedField(name.rawName)) { $0.fields = [name: "1"] }
        }
        Self.expectRefusal(.deflateOption("level")) {
            $0.deflate = DeflateOptions()
            $0.deflate?.level = 10
        }
        #expect(throws: InvalidHandshakeRequest.keyLength(15)) {
            try HandshakeRequest(url: WebSocketURL("ws://a"), key: Array(1...15))
        }
    }

    @Test("No error repeats a value")
    func noSecrets() {
        let failures: [InvalidHandshakeRequest] = [
            .fieldName("X"), .fieldValue(name: "X"), .reservedField("X"), .host, .origin,
            .connection, .cookie, .subprotocol(index: 3), .credentials, .keyLength(3),
            .deflateOption("level"),
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
        #expect(InvalidHandshakeRequest.fieldValue(name: "X-A").description.contains("X-A"))
    }
}
