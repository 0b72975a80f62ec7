import Testing
import WebSocketProtocol

@Suite("Sec-WebSocket-Extensions, RFC 6455 §9.1")
struct ExtensionListTests {
    @Test(
        "Valid fields are read",
        arguments: [
            ([], ""), ([""], ""), ([" , ,"], ""), (["foo"], "foo"),
            (["a", " b ,c"], "a, b, c"), ([",a,"], "a"),
            (
                ["mux; max-channels=4; flow-control, deflate-stream"],
                "mux; max-channels=4; flow-control, deflate-stream"
            ),
            (["a;b=\"c\""], "a; b=c"), (["a ; b = \"\\c\\d\" ; e"], "a; b=cd; e"),
            (["a;b=\"x-y\",c"], "a; b=x-y, c"), (["a;b;b=1"], "a; b; b=1"),
        ] as [([String], String)]
    )
    func valid(values: [String], text: String) throws {
        let elements = try #require(ExtensionElement.parse(values))
        #expect(elements.map(\.text).joined(separator: ", ") == text)
    }

    @Test(
        "Malformed fields are refused",
        arguments: [
            "a;", "a; ;b", ";a", "=", "a=1", "a;b=", "a;=c", "a;b=\"", "a;b=\"\"", "a;b=\"c",
            "a;b=\"c d\"", "a;b=\"c,d\"", "a;b=\"c\\", "a;b=\"c\"d", "a b", "a;b c", "a/b",
            "a;b=c=d", "a;b=\"c\\\"\"", "ä", "a\0",
        ]
    )
    func malformed(value: String) {
        #expect(ExtensionElement.parse([value]) == nil)
        #expect(ExtensionElement.parse(["good", value]) == nil)
    }

    @Test(
        "A field of 16 KiB of separators causes neither recursion nor quadratic time"
    )
    func long() {
        #expect(ExtensionElement.parse([String(repeating: ",", count: 16384)])?.isEmpty == true)
        let many = String(repeating: "a;b=c,", count: 2700)
        #expect(ExtensionElement.parse([many])?.count == 2700)
    }
}
