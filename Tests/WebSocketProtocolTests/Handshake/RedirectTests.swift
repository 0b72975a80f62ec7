import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Redirects")
struct RedirectTests {
    static func follow(
        _ location: String?,
        from url: String = "wss://u:p@a.example/x/y?z",
        status: Int = 302,
        policy: RedirectPolicy = RedirectPolicy(),
        followed: Int = 0
    ) throws -> Redirect? {
        var response = HandshakeResponse(statusCode: status)
        response.headers["Location"] = location
        return try policy.redirect(from: WebSocketURL(url), by: response, followed: followed)
    }

    @Test(
        "Only redirecting statuses are followed",
        arguments: [300, 301, 302, 303, 304, 307, 308, 101, 200, 401]
    )
    func status(code: Int) throws {
        let isRedirect = [301, 302, 303, 307, 308].contains(code)
        #expect((try Self.follow("/n", status: code) != nil) == isRedirect)
        #expect(try Self.follow("/n", status: code, policy: RedirectPolicy(limit: 0)) == nil)
    }

    @Test(
        "The same origin keeps the credentials, and another doesn't get them",
        arguments: [
            ("/n", "wss://***@a.example/n", false), ("n", "wss://***@a.example/x/n", false),
            ("https://a.example:443/n", "wss://***@a.example/n", false),
            ("wss://A.EXAMPLE/n", "wss://***@a.example/n", false),
            ("//a.example/n", "wss://***@a.example/n", false),
            ("https://b.example/n", "wss://b.example/n", true),
            ("wss://a.example:444/n", "wss://a.example:444/n", true),
            ("wss://a.example.b/", "wss://a.example.b/", true),
            ("wss://v:q@b.example/", "wss://***@b.example/", true),
        ]
    )
    func origins(location: String, expected: String, crossesOrigin: Bool) throws {
        let redirect = try #require(try Self.follow(location))
        #expect(redirect.url.description == expected)
        #expect(redirect.crossesOrigin == crossesOrigin)
        if crossesOrigin { #expect(redirect.url.credentials?.user != "u") }
    }

    @Test("ws to wss is another origin, and wss to ws needs permission")
    func downgrade() throws {
        let up = try #require(try Self.follow("https://a/", from: "ws://u:p@a/"))
        #expect(up.url.isSecure && up.crossesOrigin && up.url.credentials == nil)
        for location in ["http://a.example/", "ws://a.example/", "ws://b/"] {
            #expect(throws: RedirectFailure.downgrade) { try Self.follow(location) }
            let allowed = RedirectPolicy(allowsDowngrade: true)
            let redirect = try #require(try Self.follow(location, policy: allowed))
            #expect(!redirect.url.isSecure && redirect.crossesOrigin)
        }
        #expect(try Self.follow("http://b/", from: "ws://a/") != nil)
    }

    @Test("The number of redirects is limited")
    func limit() throws {
        #expect(try Self.follow("/n", followed: 2) != nil)
        #expect(throws: RedirectFailure.tooMany(maximum: 3)) { try Self.follow("/n", followed: 3) }
    }

    @Test("Exactly one Location field with a URL is required")
    func location() throws {
        #expect(throws: RedirectFailure.location(count: 0)) { try Self.follow(nil) }
        let twice = HandshakeResponse(
            statusCode: 301,
            headers: ["Location": "/a", "location": "/b"]
        )
        #expect(throws: RedirectFailure.location(count: 2)) {
            try RedirectPolicy().redirect(from: WebSocketURL("ws://a"), by: twice, followed: 0)
        }
        #expect(throws: RedirectFailure.invalidLocation(InvalidURL(.unsupportedScheme("ftp")))) {
            try Self.follow("ftp://a/")
        }
        #expect(throws: RedirectFailure.invalidLocation(InvalidURL(.invalidResource))) {
            try Self.follow("/a b")
        }
    }

    @Test("Another origin gets fields known to be harmless, and those that the caller lists")
    func otherOrigin() {
        let fields: HTTPFields = [
            "user-agent": "u", "X-Trace": "1", "authorization": "x", "COOKIE": "y", "X-Auth": "z",
            "X-JWT": "z", "X-Signature": "z", "Ocp-Apim-Subscription-Key": "z", "Host": "h",
            "X-Session-Id": "z", "Accept-Language": "de", "Sec-WebSocket-Protocol": "bearer, token",
        ]
        #expect(fields.forOtherOrigin(marked: []) == ["user-agent": "u", "Accept-Language": "de"])
        #expect(
            fields.forOtherOrigin(marked: ["x-trace"])
                == ["user-agent": "u", "X-Trace": "1", "Accept-Language": "de"]
        )
    }

    @Test("Each failure has its own description")
    func descriptions() {
        let failures: [RedirectFailure] = [
            .tooMany(maximum: 3), .location(count: 0), .invalidLocation(InvalidURL(.invalidPort)),
            .downgrade,
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
    }
}
