import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("no_proxy")
struct NoProxyListTests {
    @Test(
        "What an entry matches",
        arguments: [
            ("*", "example.com"), ("*", "10.0.0.1"),
            ("example.com", "example.com"), ("example.com", "EXAMPLE.com"),
            ("EXAMPLE.COM", "example.com"), ("example.com", "example.com."),
            ("example.com.", "example.com"), ("example.com", "www.example.com"),
            (".example.com", "www.example.com"), (".example.com", "example.com"),
            (".example.com:443", "example.com"), ("*.example.com", "a.b.example.com"),
            ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"),
            ("[::1]", "::1"), ("::1", "[::1]"), ("0:0:0:0:0:0:0:1", "::1"),
            ("fe80::1", "fe80::1%eth0"),
            ("10.0.0.0/8", "10.255.1.2"), ("192.168.128.0/17", "192.168.200.1"),
            ("0.0.0.0/0", "8.8.8.8"), ("10.1.2.3/32", "10.1.2.3"), ("fd00::/8", "fd12::1"),
            ("2001:db8::/33", "2001:db8:7fff::1"),
            ("example.com:443", "example.com"), ("127.0.0.1:443", "127.0.0.1"),
            ("[::1]:443", "::1"), (".example.com:443", "a.example.com"), ("*:443", "any.host"),
            ("a.example, b.example", "b.example"), ("a.example b.example", "b.example"),
            (" , example.com,", "example.com"),
        ]
    )
    func matches(list: String, host: String) throws {
        #expect(try NoProxyList([list]).contains(Host(host), port: 443))
    }

    @Test(
        "What an entry doesn't match",
        arguments: [
            ("", "example.com"), (",", "example.com"), (" ", "a"),
            ("example.com", "badexample.com"), (".example.com", "badexample.com"),
            ("*.example.com", "example.com"), ("*.example.com", "example.com."),
            ("example.com", "example.com.evil.test"), ("example.com", "com"),
            ("ample.com", "example.com"), ("1.2.3.4", "1.2.3.5"), ("2.3.4", "1.2.3.4"),
            (".3.4", "1.2.3.4"), ("1.2.3.4", "::1.2.3.4"), ("10.0.0.0/8", "11.0.0.0"),
            ("10.0.0.0/8", "10.example"), ("10.0.0.0/33", "10.0.0.0"), ("10.0.0.0/-1", "10.0.0.0"),
            ("10.0.0.0/x", "10.0.0.0"), ("example.com/8", "example.com"),
            ("192.168.128.0/17", "192.168.127.255"), ("fd00::/8", "fe00::1"),
            ("0.0.0.0/0", "::1"), ("example.com:80", "example.com"), ("[::1]:80", "::1"),
            ("example.com:x", "example.com"), ("example.com:", "example.com"),
            ("*example.com", "badexample.com"),
        ]
    )
    func misses(list: String, host: String) throws {
        #expect(try !NoProxyList([list]).contains(Host(host), port: 443))
    }
}
