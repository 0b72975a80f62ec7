import Testing
import WebSocketProtocol

@Suite("Header fields, RFC 9110 §5")
struct HTTPFieldsTests {
    @Test("Names match in any case, order and spelling stay")
    func lookup() {
        var fields: HTTPFields = ["X-A": "1", "b": "2", "x-a": "3"]
        #expect(fields["x-A"] == "1")
        #expect(fields.values(of: "X-a") == ["1", "3"])
        #expect(fields.joinedValue(of: "x-a") == "1, 3")
        #expect(fields.joinedValue(of: "c") == nil)
        #expect(fields["c"] == nil && !fields.contains("c") && fields.contains("B"))
        #expect(fields.map(\.name) == ["X-A", "b", "x-a"])
        fields["X-a"] = "4"
        #expect(fields.map(\.name) == ["X-a", "b"] && fields.map(\.value) == ["4", "2"])
        fields["new"] = "5"
        #expect(fields.count == 3 && fields[2].name == "new")
        fields["B"] = nil
        #expect(fields.map(\.value) == ["4", "5"])
    }

    @Test("Lines give names and values")
    func lines() throws {
        let fields = try HTTPFields(lines: ["A: 1", "B:2 ", "C:", "D: x: y"])
        #expect(fields == ["A": "1", "B": "2", "C": "", "D": "x: y"])
        #expect(throws: InvalidHandshakeRequest.fieldName("Bearer")) {
            try HTTPFields(lines: ["Bearer secret"])
        }
    }

    @Test("Every byte is judged as the RFC has it", arguments: UInt8.min...UInt8.max)
    func validity(byte: UInt8) {
        let isToken =
            "!#$%&'*+-.^_`|~0123456789".utf8.contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
        // Beyond ASCII one byte is no text: there the code point is what is judged.
        let text = String(UnicodeScalar(byte))
        #expect(HTTPFields.isValidName(text) == isToken)
        #expect(HTTPFields.isValidValue(text) == (byte == 9 || (byte >= 32 && byte != 127)))
    }

    @Test("An empty name is none, an empty value is one")
    func empty() {
        #expect(!HTTPFields.isValidName(""))
        #expect(HTTPFields.isValidValue(""))
    }

    @Test(
        "A field that says so by its name is a secret",
        arguments: [
            "Cookie", "set-cookie", "Authorization", "Proxy-Authorization", "X-Auth-Token",
            "X-API-Key",
            "X-MBX-APIKEY", "X-Client-Secret", "X-Password", "x-auth-key",
        ]
    )
    func secretNames(name: String) {
        let fields: HTTPFields = [(name): "s3cret", "X-Trace": "1"]
        #expect(fields.description == "\(name): ***\nX-Trace: 1")
        #expect(fields.withoutCredentials == ["X-Trace": "1"])
    }

    @Test("A description shows neither the query nor the credentials of a Location")
    func location() {
        let fields: HTTPFields = [
            "Location": "/a?token=s3cret", "location": "https://user:s3cret@host/", "Link": "/b?c",
            "LOCATION": "//host/#s3cret",
        ]
        let expected = "Location: /a?***\nlocation: ***\nLink: /b?c\nLOCATION: //host/#***"
        #expect(fields.description == expected)
    }

    @Test("Nothing in a description moves a terminal's cursor")
    func legible() {
        let fields: HTTPFields = ["X-A": "a\u{9B}2J\u{202E}\u{2028}é\u{200B}\tb"]
        let expected = #"X-A: a\u{9B}2J\u{202E}\u{2028}é"# + "\u{200B}\tb"
        #expect(fields.description == expected)
    }

    @Test("A description shows no credentials")
    func description() {
        let fields: HTTPFields = [
            "A": "1", "authorization": "s3cret", "COOKIE": "s3cret", "Set-Cookie": "s3cret",
            "Proxy-Authorization": "s3cret",
        ]
        #expect(fields.description.hasPrefix("A: 1\nauthorization: ***\n"))
        #expect(!fields.description.contains("s3cret"))
    }
}
