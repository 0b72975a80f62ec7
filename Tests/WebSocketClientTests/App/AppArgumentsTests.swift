import Glibc
import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Arguments of WebSocketApp and runForever", .blocking)
struct AppArgumentsTests {
    /// Runs an app against a server that records the request, and returns the record.
    private func asked(
        _ run: (_ url: String, WebSocketApp.Callback?) throws -> Void
    ) throws -> HTTPFields {
        let fields = Promise<HTTPFields>()
        return try withServer { connection in
            fields.fulfil(connection.headers)
            _ = try connection.receive()
        } run: { server in
            try run(server.url()) { $0.close() }
            return try fields.value()
        }
    }

    @Test("Host, origin, cookie, header and subprotocols are sent as they are given")
    func request() throws {
        let fields = try asked { url, close in
            let app = WebSocketApp(
                url: url,
                header: ["X-One": "1"],
                onOpen: close,
                cookie: "a=1",
                subprotocols: ["chat"]
            )
            let errored = try app.runForever(host: "host.example", origin: "https://o.example")
            #expect(!errored)
        }
        #expect(fields["Host"] == "host.example")
        #expect(fields["Origin"] == "https://o.example")
        #expect(fields["X-One"] == "1")
        #expect(fields["Cookie"] == "a=1")
        #expect(fields["Sec-WebSocket-Protocol"] == "chat")
    }

    @Test("suppressOrigin and suppressHost omit their fields")
    func suppressed() throws {
        let listener = try Listener()
        defer { listener.close() }
        let request = Promise<String>()
        try Threads.start {
            request.fulfil {
                let stream = try listener.accept(until: .ample)
                defer { stream.abort() }
                let bytes = try stream.readSome(until: .ample)
                return String(decoding: bytes ?? [], as: UTF8.self).lowercased()
            }
        }
        let app = WebSocketApp(url: "ws://127.0.0.1:\(listener.port)/")
        #expect(try app.runForever(suppressOrigin: true, suppressHost: true))
        let lines = try request.value()
        #expect(lines.hasPrefix("get / http/1.1\r\n") && lines.hasSuffix("\r\n\r\n"))
        #expect(!lines.contains("\r\nhost:") && !lines.contains("\r\norigin:"))
    }

    @Test("skipUTF8Validation accepts invalid text, which is otherwise a violation")
    func validation() throws {
        try withServer { connection in
            try connection.send(.text, [0x61, 0xFF])
            _ = try connection.receive()
        } run: { server in
            for skips in [true, false] {
                let journal = Journal()
                let app = WebSocketApp.noting(in: journal, url: server.url())
                app.onMessage = { app, message in
                    journal.note("message of \(message.bytes.count)")
                    app.close()
                }
                let errored = try app.runForever(skipUTF8Validation: skips)
                #expect(errored == !skips)
                #expect(journal.count(of: "message of") == (skips ? 1 : 0))
            }
        }
    }

    @Test("sockopt is set on the socket")
    func socketOptions() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let isSet = Promise<Bool>()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                var value: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                let descriptor = try #require(app.socket).fileDescriptor ?? -1
                getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &value, &size)
                // Linux doubles it.
                isSet.fulfil(value == 2 * 50_000)
                app.close()
            }
        )
        try app.runForever(sockopt: [.sendBufferSize(50_000)])
        #expect(try isSet.value())
    }

    @Test("sslopt decides whether a self-signed certificate is accepted")
    func tls() throws {
        let identity = try Certificates.shared.get().selfSigned
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        let server = try EchoServer(tls: tls)
        func isRefused(_ options: TLSOptions?) throws -> Bool {
            let isRefused = Promise<Bool>()
            let app = WebSocketApp(
                url: "wss://127.0.0.1:\(server.port)/",
                onError: { _, error in
                    // Once TLS is done, the echo isn't a WebSocket server.
                    if case .tls = error as? WebSocketError {
                        isRefused.fulfil(true)
                    } else {
                        isRefused.fulfil(false)
                    }
                }
            )
            #expect(try app.runForever(sslopt: options))
            return try isRefused.value()
        }
        #expect(try isRefused(nil))
        #expect(try !isRefused(TLSOptions(verification: .none)))
    }

    @Test(
        "The app connects through the proxy with its kind and credentials, and httpNoProxy bypasses it"
    )
    func proxy() throws {
        let listener = try Listener()
        defer { listener.close() }
        let journal = Journal()
        for kind in [Proxy.Kind.http, .socks5h] {
            let opening = Promise<[UInt8]>()
            try Threads.start {
                opening.fulfil {
                    let stream = try listener.accept(until: .ample)
                    defer { stream.abort() }
                    return try stream.readSome(until: .ample) ?? []
                }
            }
            let app = WebSocketApp.noting(in: journal, url: "ws://server.example/")
            let errored = try app.runForever(
                httpProxyHost: "127.0.0.1",
                httpProxyPort: listener.port,
                httpProxyAuth: BasicCredentials(user: "user", password: "word"),
                httpProxyTimeout: .seconds(20),
                proxyType: kind
            )
            #expect(errored)
            let bytes = try opening.value()
            if kind == .http {
                let request = String(decoding: bytes, as: UTF8.self)
                #expect(request.hasPrefix("CONNECT server.example:80 HTTP/1.1\r\n"))
                #expect(request.contains("Proxy-Authorization: Basic "))
            } else {
                #expect(bytes.first == 5)
            }
        }
        let server = try LoopbackServer()
        defer { server.stop() }
        let app = WebSocketApp(url: server.url(), onOpen: { $0.close() })
        let errored = try app.runForever(
            httpProxyHost: "127.0.0.1",
            httpProxyPort: listener.port,
            httpNoProxy: ["127.0.0.1"]
        )
        #expect(!errored)
    }

    @Test("The user's own socket is used for the first connection, and belongs to it")
    func ownSocket() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let plan = ConnectPlan(
            target: .host("127.0.0.1", port: server.port),
            serverName: "127.0.0.1"
        )
        let stream = try Connector.connect(plan, wakeUp: WakeUp())
        let own = dup(stream.descriptor)
        let identity = try #require(Descriptors.identity(of: own))
        defer { withExtendedLifetime(stream) {} }
        let journal = Journal()
        let app = WebSocketApp(
            url: "ws://nowhere.example/",
            onOpen: { app in
                let descriptor = app.socket?.fileDescriptor ?? -1
                journal.note(Descriptors.identity(of: descriptor) == identity ? "own" : "other")
                app.close()
            },
            socket: own
        )
        try app.runForever()
        #expect(journal.entries == ["own"])
    }

    @Test("The user's own ping() doesn't count as keepalive, nor does a pong with another payload")
    func unmatchedPong() throws {
        try withServer { connection in
            try connection.send(.pong, Array("what?".utf8))
            _ = try connection.receive()
        } run: { server in
            let app = WebSocketApp(url: server.url(), onPong: { app, _ in app.close() })
            try app.runForever(pingInterval: .seconds(30))
            #expect(app.lastPong != nil)
            #expect(app.roundTripTime == nil)
        }
    }
}
