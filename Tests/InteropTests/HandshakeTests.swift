import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Handshakes with other projects' servers",
    .blocking,
    .needsOtherServers
)
struct HandshakeTests {
    @Test("The server's choice of subprotocol is reported", arguments: Counterpart.allCases)
    func subprotocol(server: Counterpart) throws {
        var options = ConnectOptions.interop
        options.subprotocols = ["Chat.v2", "Chat.v1"]
        for (path, expected) in [("/echo", "Chat.v2"), ("/echo?protocol=Chat.v1", "Chat.v1")] {
            let socket = try WebSocket.connect(to: server.url(path), options: options)
            #expect(socket.subprotocol == expected)
            try socket.close()
        }
    }

    @Test("A server may choose none, unless one is required", arguments: Counterpart.allCases)
    func noSubprotocol(server: Counterpart) throws {
        var options = ConnectOptions.interop
        options.subprotocols = ["chat"]
        let url = try server.url("/echo?protocol=other")
        let socket = try WebSocket.connect(to: url, options: options)
        #expect(socket.subprotocol == nil)
        try socket.close()
        options.requiresSubprotocol = true
        let error = errorThrown { try WebSocket.connect(to: url, options: options).abort() }
        guard case .handshakeFailed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "A refusal's status, reason, fields and body are reported",
        arguments: Counterpart.allCases
    )
    func refusal(server: Counterpart) throws {
        let socket = WebSocket(options: .interop)
        let error = errorThrown { try socket.connect(to: server.url("/refuse")) }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 403)
        #expect(response.reasonPhrase == "Forbidden")
        #expect(response.headers["content-length"] == "11")
        #expect(String(decoding: response.body, as: UTF8.self) == "not for you")
        #expect(response.isBodyComplete)
        #expect(socket.status == 403)
        #expect(!socket.isConnected)
    }

    @Test("A refusal's body is joined from chunks")
    func chunkedRefusal() throws {
        let error = errorThrown {
            try WebSocket.connect(
                to: Counterpart.aiohttp.url("/refuse-chunked"),
                options: .interop
            ).abort()
        }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 503)
        #expect(response.headers["transfer-encoding"] == "chunked")
        #expect(String(decoding: response.body, as: UTF8.self) == "come back later")
        #expect(response.isBodyComplete)
    }

    @Test("Only a limited part of a refusal's large body is kept")
    func largeRefusal() throws {
        let error = errorThrown {
            try WebSocket.connect(
                to: Counterpart.aiohttp.url("/refuse-large"),
                options: .interop
            ).abort()
        }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 500)
        #expect(!response.isBodyComplete)
        #expect((1...(1 << 20)).contains(response.body.count))
    }

    @Test(
        "A server's cookies are sent back to it, except those for other paths",
        arguments: Counterpart.allCases
    )
    func cookies(server: Counterpart) throws {
        var options = ConnectOptions.interop
        options.cookieJar = CookieJar()
        options.cookie = "own=1"
        let first = try WebSocket.connect(to: server.url("/cookie"), options: options)
        #expect(first.headers[values: "Set-Cookie"].count == 2)
        try first.close()
        for (path, expected) in [
            ("/headers", "session=abc123; own=1"), ("/narrow", "narrow=1; session=abc123; own=1"),
        ] {
            let socket = try WebSocket.connect(to: server.url(path), options: options)
            #expect(try socket.requestFields()["Cookie"] == expected)
            try socket.close()
        }
    }
}

extension WebSocket {
    /// The fields of this connection's request, as the server of `/headers` has seen them.
    func requestFields() throws -> HTTPFields {
        let lines = try receiveText().split(separator: "\n").map(String.init)
        return try HTTPFields(lines: lines)
    }
}
