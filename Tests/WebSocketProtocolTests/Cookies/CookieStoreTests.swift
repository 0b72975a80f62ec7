import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Cookies, RFC 6265")
struct CookieStoreTests {
    /// The cookies sent to a URL after another URL has set these.
    static func sent(
        _ cookies: [String],
        from origin: String = "ws://www.example.com/a/b",
        to target: String? = nil,
        now: Int64 = 1000,
        later: Int64 = 0
    ) throws -> String? {
        var store = CookieStore()
        let origin = try WebSocketURL(origin)
        for cookie in cookies { store.store(cookie, from: origin, now: now) }
        let target = try target.map(WebSocketURL.init) ?? origin
        return store.cookieHeader(for: target, now: now + later)
    }

    @Test(
        "Name and value are read as the RFC specifies",
        arguments: [
            ("a=b", "a=b"), (" a = b ; Path=/", "a=b"), ("a=", "a="), ("a=b=c", "a=b=c"),
            ("a=\"b c\"", "a=\"b c\""), ("a=grün", "a=grün"), ("a=b;;;", "a=b"), ("a", nil),
            ("=b", nil), ("", nil), (";a=b", nil), ("a\r\nX: y=b", nil), ("a=b\0", nil),
            ("a=\(String(repeating: "x", count: 4096))", nil),
        ]
    )
    func pairs(cookie: String, expected: String?) throws {
        #expect(try Self.sent([cookie]) == expected)
    }

    @Test(
        "A cookie is sent to its host, and with Domain to the hosts below",
        arguments: [
            ("a=b", "ws://www.example.com/a/", true), ("a=b", "ws://x.www.example.com/a/", false),
            ("a=b", "ws://example.com/a/", false), ("a=b", "ws://www.example.com:8080/a/", true),
            ("a=b;Domain=example.com", "ws://example.com/a/", true),
            ("a=b;domain=.EXAMPLE.com", "ws://x.y.example.com/a/", true),
            ("a=b;Domain=example.com", "ws://badexample.com/a/", false),
            ("a=b;Domain=www.example.com", "ws://x.www.example.com/a/", true),
            ("a=b;Domain=www.example.com", "ws://example.com/a/", false),
            ("a=b;Domain=", "ws://www.example.com/a/", true),
            ("a=b;Domain=x.www.example.com", "ws://x.www.example.com/a/", false),
            ("a=b;Domain=other.com", "ws://other.com/a/", false),
            ("a=b;Domain=ww.example.com", "ws://www.example.com/a/", false),
            ("a=b;Domain=com", "ws://www.example.com/a/", false),
            ("a=b;Domain=.com.", "ws://www.example.com/a/", false),
            ("a=b;Domain=x.com;Domain=example.com", "ws://example.com/a/", true),
        ]
    )
    func domains(cookie: String, target: String, isSent: Bool) throws {
        #expect((try Self.sent([cookie], to: target) != nil) == isSent)
    }

    @Test(
        "An address or a single label is one host",
        arguments: [
            ("ws://127.0.0.1/", "a=b;Domain=127.0.0.1", "ws://127.0.0.1/", true),
            ("ws://127.0.0.1/", "a=b;Domain=0.0.1", "ws://127.0.0.1/", false),
            ("ws://127.0.0.1/", "a=b", "ws://127.0.0.2/", false),
            ("ws://[::1]/", "a=b", "ws://[::1]/", true),
            ("ws://localhost/", "a=b;Domain=localhost", "ws://localhost/", true),
            ("ws://localhost/", "a=b;Domain=localhost", "ws://x.localhost/", false),
            ("ws://a.com./", "a=b;Domain=com.", "ws://b.com./", false),
        ]
    )
    func singleHosts(origin: String, cookie: String, target: String, isSent: Bool) throws {
        #expect((try Self.sent([cookie], from: origin, to: target) != nil) == isSent)
    }

    @Test(
        "A cookie is sent to its path and the paths below",
        arguments: [
            ("a=b", "/a", true), ("a=b", "/a/", true), ("a=b", "/a/c/d?e", true),
            ("a=b", "/", false), ("a=b", "/ab", false), ("a=b;Path=/", "/", true),
            ("a=b;Path=/x/", "/x/y", true), ("a=b;Path=/x/", "/x", false),
            ("a=b;Path=/x", "/x?y", true), ("a=b;Path=/x", "/xy", false),
            ("a=b;Path=x", "/a/b", true), ("a=b;Path=", "/a/b", true),
            ("a=b;Path=/x;Path=/y", "/y", true), ("a=b;Path=/a", "/A", false),
        ]
    )
    func paths(cookie: String, path: String, isSent: Bool) throws {
        #expect(
            (try Self.sent([cookie], to: "ws://www.example.com" + path) != nil) == isSent
        )
    }

    @Test("Longer paths come first, then older cookies; a replaced cookie keeps its place")
    func order() throws {
        let cookies = ["a=1;Path=/", "b=2", "c=3;Path=/a/b", "d=4", "b=5", "a=6;Path=/"]
        #expect(try Self.sent(cookies) == "c=3; b=5; d=4; a=6")
    }

    @Test("A cookie expires at its time")
    func expiry() throws {
        #expect(try Self.sent(["a=b;Max-Age=10"], later: 9) == "a=b")
        #expect(try Self.sent(["a=b;Max-Age=10"], later: 10) == nil)
        #expect(try Self.sent(["a=b;Max-Age=x"], later: 10) == "a=b")
        #expect(try Self.sent(["a=b;Max-Age="], later: 10) == "a=b")
        for age in ["0", "-1", "-99999999999999999999999"] {
            #expect(try Self.sent(["a=b", "a=b;Max-Age=" + age]) == nil)
        }
        for age in ["9223372036854775807", "99999999999999999999999"] {
            #expect(try Self.sent(["a=b;Max-Age=" + age], later: .max - 1000 - 1) == "a=b")
        }
        let date = "Expires=Thu, 01 Jan 1970 00:20:00 GMT"
        #expect(try Self.sent(["a=b;" + date], later: 199) == "a=b")
        #expect(try Self.sent(["a=b;" + date], later: 200) == nil)
        #expect(try Self.sent(["a=b;Max-Age=500;" + date], later: 300) == "a=b")
        #expect(try Self.sent(["a=b;Expires=never"], later: 1 << 40) == "a=b")
        #expect(try Self.sent(["a=b;Expires=Thu, 01 Jan 1970 00:00:00 GMT"]) == nil)
    }

    @Test("Secure cookies need wss both ways")
    func secure() throws {
        let secure = "wss://www.example.com/a/b"
        let open = "ws://www.example.com/a/b"
        #expect(try Self.sent(["a=b;Secure"], from: open, to: secure) == nil)
        #expect(try Self.sent(["a=b;secure=x"], from: secure) == "a=b")
        #expect(try Self.sent(["a=b;Secure"], from: secure, to: open) == nil)
        #expect(try Self.sent(["a=b"], from: secure, to: open) == "a=b")

        var store = CookieStore()
        store.store(
            "a=good;Secure;Domain=example.com;Path=/",
            from: try WebSocketURL(secure),
            now: 0
        )
        #expect(!store.store("a=evil;Path=/a", from: try WebSocketURL(open), now: 0))
        #expect(store.store("b=other;Path=/a", from: try WebSocketURL(open), now: 0))
        #expect(store.cookieHeader(for: try WebSocketURL(secure), now: 0) == "b=other; a=good")
    }

    @Test(
        "A name's prefix has to be kept",
        arguments: [
            ("__Secure-a=b;Secure", true), ("__secure-a=b", false),
            ("__Host-a=b;Secure;Path=/", true),
            ("__Host-a=b;Secure", false), ("__HOST-a=b;Path=/", false),
            ("__Host-a=b;Secure;Path=/;Domain=www.example.com", false),
        ]
    )
    func prefixes(cookie: String, isKept: Bool) throws {
        var store = CookieStore()
        let url = try WebSocketURL("wss://www.example.com/a/b")
        #expect(store.store(cookie, from: url, now: 0) == isKept)
        #expect(store.count == (isKept ? 1 : 0))
    }

    @Test("A domain keeps fifty cookies; the least recently used go first")
    func perDomain() throws {
        var store = CookieStore()
        let url = try WebSocketURL("ws://a.example/")
        for index in 0..<50 { store.store("n\(index)=v;Path=/p\(index)", from: url, now: 0) }
        // The first is used once more, so the second one goes.
        #expect(store.cookieHeader(for: try WebSocketURL("ws://a.example/p0"), now: 0) == "n0=v")
        store.store("last=v;Path=/", from: url, now: 0)
        #expect(store.count == 50)
        #expect(
            store.cookieHeader(for: try WebSocketURL("ws://a.example/p0"), now: 0) == "n0=v; last=v"
        )
        #expect(store.cookieHeader(for: try WebSocketURL("ws://a.example/p1"), now: 0) == "last=v")
        #expect(
            store.cookieHeader(for: try WebSocketURL("ws://a.example/p2"), now: 0) == "n2=v; last=v"
        )
    }

    @Test("Cookies from ws never drive out a Secure one, of the host or of another")
    func evictionFromWS() throws {
        var store = CookieStore(maximumPerDomain: 5, maximumTotal: 8)
        let secure = try WebSocketURL("wss://a.example/")
        for index in 0..<5 { store.store("s\(index)=v;Secure", from: secure, now: 0) }
        for index in 0..<60 {
            store.store("n\(index)=v", from: try WebSocketURL("ws://a.example/"), now: 0)
            store.store("n=v", from: try WebSocketURL("ws://h\(index).example/"), now: 0)
        }
        #expect(store.count == 8)
        #expect(
            store.cookieHeader(for: secure, now: 0) == "s0=v; s1=v; s2=v; s3=v; s4=v"
        )
    }

    @Test("Cookies are distinguished by the bytes of name and path")
    func bytes() throws {
        let cookies = ["K=1", "\u{212A}=2", "\u{E9}=3", "e\u{301}=4"]
        #expect(try Self.sent(cookies) == "K=1; \u{212A}=2; \u{E9}=3; e\u{301}=4")
    }

    @Test("Expired cookies go before any other")
    func expiredFirst() throws {
        var store = CookieStore()
        let url = try WebSocketURL("ws://a.example/")
        for index in 0..<50 {
            store.store("n\(index)=v;Max-Age=\(index < 25 ? 1000 : 10)", from: url, now: 0)
        }
        store.store("last=v", from: url, now: 500)
        #expect(store.count == 26)
    }

    @Test("There is a limit for all domains together")
    func total() throws {
        var store = CookieStore(maximumTotal: 30)
        for index in 0..<40 {
            store.store("a=b", from: try WebSocketURL("ws://h\(index).example/"), now: 0)
        }
        #expect(store.count == 30)
        #expect(store.cookieHeader(for: try WebSocketURL("ws://h9.example/"), now: 0) == nil)
        #expect(store.cookieHeader(for: try WebSocketURL("ws://h10.example/"), now: 0) == "a=b")
        store.clear()
        #expect(store.count == 0)
    }

    @Test("All cookies of a response are stored")
    func response() throws {
        var store = CookieStore()
        let url = try WebSocketURL("ws://a.example/")
        store.store(["set-cookie": "a=1", "X": "b=2", "Set-Cookie": "c=3"], from: url, now: 0)
        #expect(store.cookieHeader(for: url, now: 0) == "a=1; c=3")
    }

    // 784111777 is 1994-11-06 08:49:37 UTC.
    @Test(
        "Dates are read in every form",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777), ("6-nov-1994 8:49:37", 784_111_777),
            ("1994 november 6 08:49:37.123", 784_111_777), ("08:49:37 1994 Nov 06th", 784_111_777),
            ("Sun, 06 Nov 1994 08:49:37GMT+02", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00", 0), ("31 Dec 1969 23:59:59", -1),
            ("29 Feb 2000 00:00:00", 951_782_400), ("29 Feb 2024 12:00:00", 1_709_208_000),
            ("1 Mar 2100 00:00:00", 4_107_542_400), ("1 Jan 1601 00:00:00", -11_644_473_600),
            ("1 Jan 70 00:00:00", 0), ("1 Jan 69 00:00:00", 3_124_224_000),
            ("1 Jan 00 00:00:00", 946_684_800), ("31 Dec 9999 23:59:59", 253_402_300_799),
            ("29 Feb 2023 00:00:00", nil), ("29 Feb 2100 00:00:00", nil),
            ("31 Apr 2000 00:00:00", nil),
            ("0 Jan 2000 00:00:00", nil), ("32 Jan 2000 00:00:00", nil),
            ("1 Jan 1600 00:00:00", nil), ("1 Jan 2000 24:00:00", nil),
            ("1 Jan 2000 00:60:00", nil), ("1 Jan 2000 00:00:60", nil), ("1 Jan 2000", nil),
            ("1 Jam 2000 00:00:00", nil), ("1 Jan 20000 00:00:00", nil), ("1 Jan 2000 0:0", nil),
            ("1 Jan 200 000:00:00", nil), ("001 Jan 2000 00:00:00", nil), ("", nil), (":::", nil),
        ] as [(String, Int64?)]
    )
    func dates(text: String, seconds: Int64?) throws {
        // A cookie lives until the second before its date.
        let cookie = "a=b;Expires=" + text
        let start = Int64(-20_000_000_000)
        func isAlive(_ now: Int64) throws -> Bool {
            try Self.sent([cookie], now: start, later: now - start) != nil
        }
        if let seconds {
            #expect(try isAlive(seconds - 1))
            #expect(try !isAlive(seconds))
        } else {
            #expect(try isAlive(.max / 2))
        }
    }
}
