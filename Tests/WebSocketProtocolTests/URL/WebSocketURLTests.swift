import Testing
import WebSocketProtocol

@Suite("WebSocket URLs, RFC 6455 §3")
struct WebSocketURLTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var isSecure: Bool
        var host: String
        var port: UInt16
        var resource: String
        var hostHeader: String
        var testDescription: String { text }
    }

    @Test(
        "A URL is split into its parts",
        arguments: [
            Case(
                text: "ws://a.example",
                isSecure: false,
                host: "a.example",
                port: 80,
                resource: "/",
                hostHeader: "a.example"
            ),
            Case(
                text: "WSS://A.Example:443/x",
                isSecure: true,
                host: "a.example",
                port: 443,
                resource: "/x",
                hostHeader: "a.example"
            ),
            Case(
                text: "ws://a:443/",
                isSecure: false,
                host: "a",
                port: 443,
                resource: "/",
                hostHeader: "a:443"
            ),
            Case(
                text: "wss://a:80",
                isSecure: true,
                host: "a",
                port: 80,
                resource: "/",
                hostHeader: "a:80"
            ),
            Case(
                text: "ws://a:/p",
                isSecure: false,
                host: "a",
                port: 80,
                resource: "/p",
                hostHeader: "a"
            ),
            Case(
                text: "ws://a?q=1#f",
                isSecure: false,
                host: "a",
                port: 80,
                resource: "/?q=1",
                hostHeader: "a"
            ),
            Case(
                text: "ws://a/p/../q;v=1?x=/?y#f?g",
                isSecure: false,
                host: "a",
                port: 80,
                resource: "/p/../q;v=1?x=/?y",
                hostHeader: "a"
            ),
            Case(
                text: "ws://[2001:DB8::1]:8080/chat",
                isSecure: false,
                host: "2001:db8::1",
                port: 8080,
                resource: "/chat",
                hostHeader: "[2001:db8::1]:8080"
            ),
            Case(
                text: "wss://[::ffff:192.0.2.1]",
                isSecure: true,
                host: "::ffff:192.0.2.1",
                port: 443,
                resource: "/",
                hostHeader: "[::ffff:192.0.2.1]"
            ),
            Case(
                text: "ws://[fe80::1%25eth0]/",
                isSecure: false,
                host: "fe80::1%eth0",
                port: 80,
                resource: "/",
                hostHeader: "[fe80::1]"
            ),
            Case(
                text: "ws://[fe80::1%eth0]/",
                isSecure: false,
                host: "fe80::1%eth0",
                port: 80,
                resource: "/",
                hostHeader: "[fe80::1]"
            ),
            Case(
                text: "ws://127.0.0.1:9001/grüße?n=€",
                isSecure: false,
                host: "127.0.0.1",
                port: 9001,
                resource: "/gr%C3%BC%C3%9Fe?n=%E2%82%AC",
                hostHeader: "127.0.0.1:9001"
            ),
            Case(
                text: "ws://my_host.example./%zz%41",
                isSecure: false,
                host: "my_host.example.",
                port: 80,
                resource: "/%zz%41",
                hostHeader: "my_host.example."
            ),
        ]
    )
    func parse(example: Case) throws {
        let url = try WebSocketURL(example.text)
        #expect(url.isSecure == example.isSecure)
        #expect(url.host == example.host)
        #expect(url.port == example.port)
        #expect(url.resource == example.resource)
        #expect(url.hostHeader == example.hostHeader)
        #expect(url.origin == (example.isSecure ? "https://" : "http://") + example.hostHeader)
        #expect(url.credentials == nil)
    }

    @Test(
        "Strings that aren't valid URLs are refused with the rule that they break",
        arguments: [
            ("", .missingScheme), ("example.com", .missingScheme), ("//a/", .missingScheme),
            ("/ws://a", .missingScheme), (" ws://a", .missingScheme),
            ("http://a/", .unsupportedScheme("http")), ("wsx://a", .unsupportedScheme("wsx")),
            ("localhost:80", .unsupportedScheme("localhost")),
            ("ws:a", .missingHost), ("ws:/a", .missingHost), ("ws://", .missingHost),
            ("ws:///p", .missingHost), ("ws://:80/", .missingHost), ("ws://u@/", .missingHost),
            ("ws://a b/", .invalidHost), ("ws://a\r\nX: y/", .invalidHost),
            ("ws://a\0/", .invalidHost), ("ws://a\\b/", .invalidHost), ("ws://%61/", .invalidHost),
            ("ws://münchen.example/", .internationalHost), ("ws://a,b/", .invalidHost),
            ("ws://[::1/", .invalidHost), ("ws://[]/", .invalidHost), ("ws://[a]/", .invalidHost),
            ("ws://[1.2.3.4]/", .invalidHost), ("ws://[::1]x/", .invalidHost),
            ("ws://[::1%]/", .invalidHost), ("ws://[::1%25a\r\n]/", .invalidHost),
            ("ws://::1/", .missingHost), ("ws://a]/", .invalidHost),
            ("ws://a:0/", .invalidPort), ("ws://a:65536/", .invalidPort),
            ("ws://a:-1/", .invalidPort), ("ws://a:8x/", .invalidPort),
            ("ws://a:99999999999999999999999/", .invalidPort), ("ws://a:1:2/", .invalidPort),
            ("ws://u@v@a/", .invalidUserInfo), ("ws://good.test\\@evil.test/", .invalidUserInfo),
            ("ws://[good.test]@evil.test/", .invalidUserInfo), ("ws://a b@c/", .invalidUserInfo),
            ("ws://.example.com/", .invalidHost), ("ws://a..b/", .invalidHost),
            ("ws://./", .invalidHost),
            ("ws://a../", .invalidHost), ("ws://0x7f000001/", .numericHost),
            ("ws://127.1/", .numericHost),
            ("ws://017700000001/", .numericHost), ("ws://2130706433/", .numericHost),
            ("ws://127.0.0.01/", .numericHost), ("ws://127.0.0.1./", .numericHost),
            ("ws://1.2.3.4.5/", .numericHost), ("ws://256.0.0.1/", .numericHost),
            ("ws://a.0X1f/", .numericHost), ("ws://a.0x/", .numericHost),
            ("ws://a.1/", .numericHost), ("ws://%zz@a/", .invalidUserInfo),
            ("ws://u:%0d%0a@a/", .invalidUserInfo), ("ws://u%3Av:w@a/", .invalidUserInfo),
            ("ws://u:%ff@a/", .invalidUserInfo), ("ws://u:%4@a/", .invalidUserInfo),
            ("ws://a/b c", .invalidResource), ("ws://a/\r\nX: y", .invalidResource),
            ("ws://a/?\n", .invalidResource), ("ws://a/\0", .invalidResource),
            ("ws://a/\t", .invalidResource), ("ws://a/\u{7F}", .invalidResource),
        ] as [(String, InvalidURL.Reason)]
    )
    func refuse(text: String, reason: InvalidURL.Reason) {
        #expect(throws: InvalidURL(reason)) { try WebSocketURL(text) }
    }

    @Test("A host of more than 255 bytes is refused")
    func longHost() throws {
        #expect(try WebSocketURL("ws://" + String(repeating: "a", count: 255)).host.count == 255)
        #expect(throws: InvalidURL(.invalidHost)) {
            try WebSocketURL("ws://" + String(repeating: "a", count: 256))
        }
    }

    @Test(
        "Each form of an IPv6 address is accepted, and nothing else",
        arguments: [
            ("::", true), ("::1", true), ("1::", true), ("1:2:3:4:5:6:7:8", true),
            ("1::8", true), ("1:2:3:4:5:6:7::", true), ("::2:3:4:5:6:7:8", true),
            ("::1.2.3.4", true), ("1:2:3:4:5:6:1.2.3.4", true), ("ABCD::ef", true),
            (":", false), (":::", false), ("1", false), ("1:2", false), ("1::2::3", false),
            ("1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:8:9", false), ("1:2:3:4:5:6:7:8::", false),
            ("12345::", false), ("g::", false), (":1::", false), ("1:2:3:4:5:6:7:8:", false),
            ("::1.2.3", false), ("::1.2.3.256", false), ("::1.2.3.4:5", false),
            ("1.2.3.4::", false), ("1:2:3:4:5:6:7:1.2.3.4", false), ("::1.2.3.0004", false),
        ]
    )
    func version6(address: String, isValid: Bool) {
        #expect(((try? WebSocketURL("ws://[\(address)]/")) != nil) == isValid)
    }

    @Test("User name and password are percent-decoded, and no description shows them")
    func credentials() throws {
        let url = try WebSocketURL("wss://us%65r:p%40ss%3Aw%C3%B6rd@host:8443/x")
        #expect(url.credentials == BasicCredentials(user: "user", password: "p@ss:wörd"))
        #expect(url.description == "wss://***@host:8443/x")
        #expect("\([url])".contains("wss://***@host"))
        var dumped = ""
        dump(url, to: &dumped)
        dumped += String(reflecting: url) + String(describing: url.credentials)
        #expect(!dumped.contains("wörd") && !dumped.contains("user"))
        #expect(try WebSocketURL("ws://u@h").credentials == .init(user: "u", password: ""))
        #expect(try WebSocketURL("ws://:p@h").credentials == .init(user: "", password: "p"))
        #expect(try WebSocketURL("ws://@h").credentials == nil)
        #expect(try WebSocketURL("ws://:@h").credentials == nil)
        #expect(try WebSocketURL("ws://%C3%BC%5C:~!$&'()*+,;=@h").credentials?.user == "ü\\")
        #expect(try WebSocketURL("ws://u:a:b@h").credentials?.password == "a:b")
    }

    @Test("A zone is shown as written in a URL")
    func zone() throws {
        #expect(
            try WebSocketURL("ws://[fe80::1%eth0]:1/").description == "ws://[fe80::1%25eth0]:1/"
        )
    }

    // RFC 3986 §5.4, with ws://a/b/c/d;p?q for a base; the fragments go.
    @Test(
        "A reference is resolved as in RFC 3986 §5.4",
        arguments: [
            ("g", "/b/c/g"), ("./g", "/b/c/g"), ("g/", "/b/c/g/"), ("/g", "/g"),
            ("?y", "/b/c/d;p?y"), ("g?y", "/b/c/g?y"), ("#s", "/b/c/d;p?q"), ("g#s", "/b/c/g"),
            (";x", "/b/c/;x"), ("", "/b/c/d;p?q"), (".", "/b/c/"), ("./", "/b/c/"), ("..", "/b/"),
            ("../", "/b/"), ("../g", "/b/g"), ("../..", "/"), ("../../", "/"), ("../../g", "/g"),
            ("../../../g", "/g"), ("../../../../g", "/g"), ("/./g", "/g"), ("/../g", "/g"),
            ("g.", "/b/c/g."), (".g", "/b/c/.g"), ("g..", "/b/c/g.."), ("..g", "/b/c/..g"),
            ("./../g", "/b/g"), ("./g/.", "/b/c/g/"), ("g/./h", "/b/c/g/h"), ("g/../h", "/b/c/h"),
            ("g;x=1/./y", "/b/c/g;x=1/y"), ("g;x=1/../y", "/b/c/y"), ("g?y/./x", "/b/c/g?y/./x"),
            ("g?y/../x", "/b/c/g?y/../x"), ("/", "/"), ("/a//b", "/a//b"),
        ]
    )
    func resolve(reference: String, resource: String) throws {
        let base = try WebSocketURL("wss://user:pw@a:444/b/c/d;p?q")
        let url = try base.resolved(reference)
        #expect(url.resource == resource)
        #expect(url.host == "a" && url.port == 444 && url.isSecure)
        #expect(url.credentials?.user == "user")
    }

    @Test(
        "An absolute reference replaces everything, with http treated as ws",
        arguments: [
            ("http://b", "ws://b/"), ("https://b:8443/x?y", "wss://b:8443/x?y"),
            ("WS://b/./x/../y", "ws://b/y"), ("wss://b", "wss://b/"), ("//b/x", "wss://b/x"),
            ("//b:1", "wss://b:1/"), ("http://b:443/", "ws://b:443/"),
        ]
    )
    func resolveAbsolute(reference: String, expected: String) throws {
        let url = try WebSocketURL("wss://user:pw@a:444/b/c").resolved(reference)
        #expect(url.description == expected)
        #expect(url.credentials == nil)
    }

    @Test(
        "A reference to an unsupported URL is refused",
        arguments: [
            ("ftp://b", .unsupportedScheme("ftp")), ("mailto:x", .unsupportedScheme("mailto")),
            ("///x", .missingHost), ("http:x", .missingHost), ("//b:x", .invalidPort),
            ("x y", .invalidResource), ("//b c", .invalidHost), ("//u@v@w", .invalidUserInfo),
        ] as [(String, InvalidURL.Reason)]
    )
    func refuseReference(reference: String, reason: InvalidURL.Reason) throws {
        let base = try WebSocketURL("ws://a/")
        #expect(throws: InvalidURL(reason)) { try base.resolved(reference) }
    }

    @Test("An origin consists of scheme, host and port")
    func origin() throws {
        let url = try WebSocketURL("ws://a/x")
        #expect(url.isSameOrigin(as: try WebSocketURL("WS://u:p@A:80/y?z")))
        for other in ["wss://a/x", "ws://b/x", "ws://a:81/x", "wss://a:80/x"] {
            #expect(!url.isSameOrigin(as: try WebSocketURL(other)))
        }
    }
}
