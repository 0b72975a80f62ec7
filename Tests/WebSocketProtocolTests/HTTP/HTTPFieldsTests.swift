import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Header fields, RFC 9110 §5")
struct HTTPFieldsTests {
    @Test("Lines are split into names and values")
    func lines() throws {
        let fields = try HTTPFields(checking: ["A: 1", "B:2 ", "C:", "D: x: y"])
        #expect(fields == ["A": "1", "B": "2", "C": "", "D": "x: y"])
        #expect(throws: InvalidHandshakeRequest.fieldName("Bearer")) {
            try HTTPFields(checking: ["Bearer secret"])
        }
    }

    @Test(
        "Every byte is accepted or refused as the RFC specifies",
        arguments: UInt8.min...UInt8.max
    )
    func validity(byte: UInt8) {
        let isToken =
            "!#$%&'*+-.^_`|~0123456789".utf8.contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
        // Beyond ASCII a single byte isn't text, so the code point is checked.
        let text = String(UnicodeScalar(byte))
        let isName = (try? HTTPField(checking: "X" + text, "")) != nil
        #expect(isName == isToken)
        let isValue = (try? HTTPField(checking: "X", "a\(text)b")) != nil
        #expect(isValue == (byte == 9 || (byte >= 32 && byte != 127)))
    }

    @Test("An empty name is refused, an empty value is not")
    func empty() throws {
        #expect(throws: InvalidHandshakeRequest.fieldName("")) { try HTTPField(checking: "", "x") }
        #expect(try HTTPField(checking: "X", "").value.isEmpty)
    }

    @Test(
        "A line break, NUL or escape in a value is refused, not repaired",
        arguments: ["\r", "\n", "\r\nX: y", "\0", "\u{1B}", "\u{7F}"]
    )
    func injection(text: String) {
        #expect(throws: InvalidHandshakeRequest.fieldValue(name: "X")) {
            try HTTPFields(checking: [("X", "s3cret" + text)])
        }
        #expect(throws: InvalidHandshakeRequest.fieldName("s3cret")) {
            try HTTPFields(checking: [("s3cret" + text, "x")])
        }
        #expect(throws: InvalidHandshakeRequest.fieldName("Authorization")) {
            try HTTPFields(checking: [("Authorization: Bearer s3cret", "")])
        }
    }

    @Test(
        "A field whose name suggests a secret is hidden",
        arguments: [
            "Cookie", "set-cookie", "Authorization", "Proxy-Authorization", "X-Auth-Token",
            "X-API-Key", "X-Auth", "X-Session-Id", "X-JWT", "X-Signature",
            "Ocp-Apim-Subscription-Key",
            "X-Functions-Key", "X-MBX-APIKEY", "X-Client-Secret", "X-Password", "x-auth-key",
        ] as [HTTPField.Name]
    )
    func secretNames(name: HTTPField.Name) {
        let fields: HTTPFields = [name: "s3cret", "X-Trace": "1"]
        #expect(fields.redactedLines == "\(name): ***\nX-Trace: 1")
    }

    @Test("A trace shows neither the query nor the credentials of a Location")
    func location() {
        let fields: HTTPFields = [
            "Location": "/a?token=s3cret", "location": "https://user:s3cret@host/", "Link": "/b?c",
            "LOCATION": "//host/#s3cret",
        ]
        let expected = "Location: /a?***\nlocation: ***\nLink: /b?c\nLOCATION: //host/#***"
        #expect(fields.redactedLines == expected)
    }

    @Test(
        "Subprotocols are shown up to the first that carries a token; the handshake's key is shown"
    )
    func subprotocols() {
        let fields: HTTPFields = [
            "Sec-WebSocket-Protocol":
                "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.czNjcmV0, x",
            "sec-websocket-protocol": "access_token, s3cret", "Sec-WebSocket-Key": "k=",
        ]
        #expect(
            fields.redactedLines
                == "Sec-WebSocket-Protocol: v4.channel.k8s.io, ***\nsec-websocket-protocol: ***\n"
                + "Sec-WebSocket-Key: k="
        )
    }

    @Test("A trace contains nothing that moves a terminal's cursor")
    func legible() {
        let fields: HTTPFields = ["X-A": "a\u{9B}2J\u{202E}\u{2028}é\u{200B}\tb"]
        let expected = #"X-A: a\u{9B}2J\u{202E}\u{2028}é"# + "\u{200B}\tb"
        #expect(fields.redactedLines == expected)
    }
}
