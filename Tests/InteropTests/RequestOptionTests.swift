import TestSupport
import Testing
import WebSocketClient

/// Options of websocket-client's `create_connection`, each named in a title, against a server that
/// reports what it has seen.
@Suite(
    "Options of create_connection for the request",
    .blocking,
    .needsOtherServers
)
struct RequestOptionTests {
    private let server = Counterpart.websockets

    private func requestFields(
        _ connect: (String) throws -> WebSocket
    ) throws -> HTTPFields {
        let socket = try connect(server.url("/headers"))
        let fields = try socket.requestFields()
        try socket.close()
        return fields
    }

    @Test("header: lines and pairs are added in order")
    func header() throws {
        for header: RequestHeaders in [
            ["X-One: 1", "X-Two:2", "X-One: 3"], ["X-One": "1", "X-Two": "2", "X-One": "3"],
        ] {
            let fields = try requestFields {
                try createConnection($0, header: header, options: .interop)
            }
            #expect(fields[values: "X-One"] == ["1", "3"])
            #expect(fields["X-Two"] == "2")
        }
    }

    @Test("header: the key and the version may be replaced, and the key's answer is checked")
    func headerKey() throws {
        let key = "dGhlIHNhbXBsZSBub25jZQ=="
        let socket = try createConnection(
            server.url("/headers"),
            header: ["Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"],
            options: .interop
        )
        // RFC 6455 §1.3 has this key and this answer.
        #expect(socket.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let fields = try socket.requestFields()
        #expect(fields[values: "Sec-WebSocket-Key"] == [key])
        #expect(fields[values: "Sec-WebSocket-Version"] == ["13"])
        try socket.close()
    }

    @Test(
        "header, cookie, origin, host, subprotocols: CR, LF and NUL are refused before a byte is sent",
        arguments: ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"]
    )
    func injection(value: String) throws {
        let nobody = "ws://127.0.0.1:1/"
        let attempts: [() throws -> WebSocket] = [
            { try createConnection(nobody, header: ["X": value], options: .interop) },
            { try createConnection(nobody, header: [value: "x"], options: .interop) },
            { try createConnection(nobody, cookie: value, options: .interop) },
            { try createConnection(nobody, origin: value, options: .interop) },
            { try createConnection(nobody, host: value, options: .interop) },
            { try createConnection(nobody, connection: value, options: .interop) },
            { try createConnection(nobody, subprotocols: [value], options: .interop) },
        ]
        for (index, attempt) in attempts.enumerated() {
            let error = errorThrown(by: attempt)
            guard case .invalidArgument = error else {
                Issue.record("\(index): \(String(describing: error))")
                continue
            }
        }
    }

    @Test("cookie: is added after the jar's cookies")
    func cookie() throws {
        var options = ConnectOptions.interop
        options.cookieJar = CookieJar()
        let first = try createConnection(server.url("/cookie"), options: options)
        try first.close()
        let fields = try requestFields {
            try createConnection($0, cookie: "a=1; b=2", options: options)
        }
        #expect(fields[values: "Cookie"] == ["session=abc123; a=1; b=2"])
    }

    @Test("origin, suppress_origin: the URL's origin, another one, or none")
    func origin() throws {
        let authority = try server.authority
        let standard = try requestFields { try createConnection($0, options: .interop) }
        #expect(standard["Origin"] == "http://\(authority)")
        let own = try requestFields {
            try createConnection($0, origin: "https://app.example", options: .interop)
        }
        #expect(own[values: "Origin"] == ["https://app.example"])
        let none = try requestFields {
            try createConnection($0, suppressOrigin: true, options: .interop)
        }
        #expect(!none.contains("Origin"))
    }

    @Test("host, suppress_host: the URL's host, another one, or none")
    func host() throws {
        let standard = try requestFields { try createConnection($0, options: .interop) }
        #expect(standard["Host"] == (try server.authority))
        let own = try requestFields {
            try createConnection($0, host: "feed.example:8080", options: .interop)
        }
        #expect(own[values: "Host"] == ["feed.example:8080"])
        let none = try requestFields {
            try createConnection($0, suppressHost: true, options: .interop)
        }
        #expect(!none.contains("Host"))
    }

    @Test("connection: replaces the field's value")
    func connection() throws {
        let fields = try requestFields {
            try createConnection($0, connection: "keep-alive, Upgrade", options: .interop)
        }
        #expect(fields[values: "Connection"] == ["keep-alive, Upgrade"])
    }

    @Test(
        "subprotocols: are offered in order, and the chosen one is reported as the server spelled it"
    )
    func subprotocols() throws {
        let socket = try createConnection(
            server.url("/headers?protocol=Chat.v1"),
            subprotocols: ["Chat.v2", "Chat.v1"],
            options: .interop
        )
        #expect(socket.subprotocol == "Chat.v1")
        #expect(try socket.requestFields()["Sec-WebSocket-Protocol"] == "Chat.v2,Chat.v1")
        try socket.close()
    }

    @Test("redirect_limit: this many redirects are followed, none with 0")
    func redirectLimit() throws {
        let url = try Counterpart.aiohttp.url("/redirect?to=%2Fheaders")
        let followed = try createConnection(url, redirectLimit: 1, options: .interop)
        _ = try followed.requestFields()
        try followed.close()
        let error = errorThrown {
            try createConnection(url, redirectLimit: 0, options: .interop)
        }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 302)
    }
}
