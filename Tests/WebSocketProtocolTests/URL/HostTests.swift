import Testing
import WebSocketProtocol

@Suite("Hosts, RFC 3986 §3.2.2")
struct HostTests {
    @Test(
        "A name keeps its final dot for resolution, and loses it for TLS",
        arguments: [
            ("a.example", "a.example", "a.example"), ("A.Example.", "a.example.", "a.example"),
            ("my_host", "my_host", "my_host"), ("x1.0a", "x1.0a", "x1.0a"), ("1a", "1a", "1a"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("0x7g", "0x7g", "0x7g"),
        ]
    )
    func names(written: String, text: String, tlsName: String) throws {
        let host = try Host(written)
        #expect(host.text == text && host.hostField == text && host.inURL == text)
        #expect(host.tlsName == tlsName)
    }

    @Test(
        "An IPv6 address has a single text, as in RFC 5952",
        arguments: [
            ("::1", "::1"), ("0:0:0:0:0:0:0:1", "::1"), ("::", "::"), ("1::", "1::"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0db8::0001", "2001:db8::1"), ("::ffff:c000:0201", "::ffff:192.0.2.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ]
    )
    func canonical(written: String, text: String) throws {
        let host = try Host(written)
        #expect(host.text == text)
        #expect(host.hostField == "[\(text)]")
        #expect(try Host("[\(written)]") == host)
        #expect(host.addressBytes?.count == 16)
    }

    @Test("Only the resolver and the URL use a zone")
    func zone() throws {
        let host = try Host(String("FE80::1%eth0"))
        #expect(host.text == "fe80::1%eth0" && host.inURL == "[fe80::1%25eth0]")
        #expect(host.hostField == "[fe80::1]" && host.tlsName == "fe80::1")
    }

    @Test("Outside of a URL a zone is what stands behind the percent sign, 25 included")
    func numberedZone() throws {
        for (text, inURL) in [
            ("fe80::1%250", "[fe80::1%25250]"), ("fe80::1%25", "[fe80::1%2525]"),
            ("fe80::1%25e", "[fe80::1%2525e]"), ("fe80::1%2", "[fe80::1%252]"),
        ] {
            let host = try Host(text)
            #expect(host.text == text && host.inURL == inURL)
            #expect(try Host(inURL) == host)
        }
    }

    @Test(
        "A name whose last label is a number is an IPv4 address in the standard form, or refused",
        arguments: [
            "127.1", "0x7f000001", "0X7F.1", "017700000001", "2130706433", "127.0.0.01",
            "127.0.0.1.",
            "1.2.3.4.5", "1.2.3.256", "a.1", "a.0x", "0",
        ]
    )
    func numbers(text: String) {
        #expect(throws: InvalidURL(.numericHost)) { try Host(text) }
    }

    @Test(
        "Strings that aren't hosts are refused",
        arguments: [
            ".a", "a..b", "..", ".", "a b", "a\0", "a\r\nb", "a/b", "a:1", "[::1", "::1]", "[a]",
            "[]",
            "1:2:3", "::1%", "[::1]x", "a%25b", "a@b", "a\\b",
        ]
    )
    func refused(text: String) {
        #expect(throws: InvalidURL(.invalidHost)) { try Host(text) }
    }

    @Test("An international name's error says what to write instead")
    func international() {
        let error = #expect(throws: InvalidURL.self) { try Host(String("b\u{FC}cher.example")) }
        #expect(error?.description.contains("xn--bcher-kva.example") == true)
    }

    @Test(
        "A host matches a domain itself or below it at a dot, regardless of final dots",
        arguments: [
            ("a.example", "a.example", true), ("b.a.example", "a.example", true),
            ("a.example.", "a.example", true), ("b.a.example", "a.example.", true),
            ("ba.example", "a.example", false), ("example", "a.example", false),
            ("127.0.0.1", "127.0.0.1", false),
        ]
    )
    func below(host: String, domain: String, isBelow: Bool) throws {
        #expect(try Host(host).isAtOrBelow(Host(domain)) == isBelow)
    }
}
