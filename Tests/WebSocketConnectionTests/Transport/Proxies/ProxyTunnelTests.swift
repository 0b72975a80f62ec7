import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Proxy tunnels", .blocking)
struct ProxyTunnelTests {
    /// Connects through a proxy played by a function; returns the stream and the function's result.
    private func connect<Value: Sendable>(
        _ kind: Proxy.Kind,
        to host: String = "target.example",
        timeout: Duration = .ample,
        change: (inout Proxy) -> Void = { _ in },
        play: @escaping @Sendable (any ByteStream) throws -> Value
    ) throws -> (stream: any ByteStream, played: Value) {
        let listener = try Listener()
        let playing = Background { try play(try listener.accept(until: .ample)) }
        let host = try Host(host)
        var plan = ConnectPlan(target: .host(host, port: 443), serverName: host)
        var proxy = Proxy(kind, host: "127.0.0.1", port: listener.port)
        change(&proxy)
        plan.proxy = proxy
        plan.proxyTimeout = timeout
        let result = Result { try Connector.connect(plan, wakeUp: WakeUp()) }
        let played = Result { try playing.join() }
        return (try result.get(), try played.get())
    }

    private func failure(
        _ kind: Proxy.Kind,
        to host: String = "target.example",
        change: (inout Proxy) -> Void = { _ in },
        play: @escaping @Sendable (any ByteStream) throws -> Void
    ) -> TransportError? {
        #expect(throws: TransportError.self) {
            try connect(kind, to: host, change: change, play: play)
        }
    }

    @Sendable private static func answer(_ text: String)
        -> @Sendable (any ByteStream) throws -> Void
    {
        answer(Array(text.utf8))
    }

    @Sendable private static func answer(_ bytes: [UInt8])
        -> @Sendable (any ByteStream) throws -> Void
    {
        { stream in
            _ = try stream.readSome()
            try stream.writeAll(bytes)
            stream.finishWriting()
            while try stream.readSome() != nil {}
        }
    }

    // MARK: HTTP

    @Test("CONNECT carries target, credentials and extra headers, and any 2xx opens the tunnel")
    func connectRequest() throws {
        let (stream, request) = try connect(
            .http,
            change: {
                $0.credentials = BasicCredentials(user: "Aladdin", password: "open sesame")
                $0.headers.append(name: "X-Tenant", value: "blue")
            },
            play: { stream in
                let request = try stream.readSome() ?? []
                try stream.writeAll(Array("HTTP/1.0 204 Fine\r\nVia: x\r\n\r\n".utf8))
                return String(decoding: request, as: UTF8.self)
            }
        )
        #expect(
            request == """
                CONNECT target.example:443 HTTP/1.1\r
                Host: target.example:443\r
                Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r
                X-Tenant: blue\r
                \r\n
                """
        )
        #expect(try stream.readSome() == nil)
    }

    @Test("An IPv6 target is in brackets")
    func brackets() throws {
        let (_, request) = try connect(.http, to: "2001:db8::1") { stream in
            let request = try stream.readSome() ?? []
            try stream.writeAll(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
            return String(decoding: request, as: UTF8.self)
        }
        #expect(
            request.hasPrefix("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n")
        )
    }

    @Test("CONNECT sends an address in brackets and without its zone")
    func zone() throws {
        let (_, request) = try connect(.http, to: "fe80:0::1%lo") { stream in
            let request = try stream.readSome() ?? []
            try stream.writeAll(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
            return String(decoding: request, as: UTF8.self)
        }
        #expect(request.hasPrefix("CONNECT [fe80::1]:443 HTTP/1.1\r\nHost: [fe80::1]:443\r\n"))
    }

    @Test("Interim responses before the proxy's answer are skipped, and folded fields are accepted")
    func interim() throws {
        let (stream, _) = try connect(.http) { stream in
            _ = try stream.readSome()
            let text =
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nVia: a,\r\n b\r\n\r\n"
            try stream.writeAll(Array(text.utf8))
        }
        #expect(try stream.readSome() == nil)
        #expect(
            failure(.http, play: Self.answer("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
                == .proxy(.refused(status: 101, reason: "Switching Protocols"))
        )
    }

    @Test("407, other refusals and malformed answers are distinguished")
    func refusals() {
        #expect(
            failure(.http, play: Self.answer("HTTP/1.1 407 Who are you\r\n\r\n"))
                == .proxy(.refused(status: 407, reason: "Who are you"))
        )
        #expect(
            failure(.http, play: Self.answer("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nxyz"))
                == .proxy(.refused(status: 503, reason: "Busy"))
        )
        #expect(failure(.http, play: Self.answer("HTTP/1.1 200 O")) == .proxy(.closed))
        #expect(failure(.http, play: Self.answer([])) == .proxy(.closed))
        for text in [
            "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nmore",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 1000) + "\r\n",
            "HTTP/1.1 200 OK\r\nA: " + String(repeating: "b", count: 20_000) + "\r\n\r\n",
        ] {
            let error = failure(.http, play: Self.answer(text))
            guard case .proxy(.malformedAnswer) = error else {
                Issue.record("\(text.prefix(30)): \(String(describing: error))")
                continue
            }
        }
    }

    @Test(
        "Options that would break the request or the protocol are refused before a byte is sent",
        arguments: [Proxy.Kind.http, .socks4a, .socks5h]
    )
    func injection(kind: Proxy.Kind) throws {
        let listener = try Listener()
        func refusal(_ change: (inout Proxy) -> Void) throws -> TransportError? {
            var proxy = Proxy(kind, host: "127.0.0.1", port: listener.port)
            change(&proxy)
            var plan = ConnectPlan(target: .host("a", port: 1), serverName: "x")
            plan.proxy = proxy
            return #expect(throws: TransportError.self) {
                try Connector.connect(plan, wakeUp: WakeUp())
            }
        }
        var errors = [
            try refusal { $0.host = "a\0b" }, try refusal { $0.host = "127.1" },
            try refusal { $0.host = "" },
        ]
        if kind == .http {
            errors += [
                try refusal { $0.credentials = .init(user: "a:b", password: "s3cret") },
                try refusal { $0.credentials = .init(user: "a", password: "s3\r\ncret") },
                try refusal {
                    $0.headers.append(HTTPField(name: "X", lenientValue: "s3\u{1B}cret".utf8))
                },
                try refusal { $0.headers = ["Host": "other.example"] },
                try refusal { $0.headers = ["Content-Length": "5"] },
                try refusal { $0.headers = ["Transfer-Encoding": "chunked"] },
                try refusal {
                    $0.credentials = .init(user: "a", password: "s3cret")
                    $0.headers = ["Proxy-Authorization": "s3cret"]
                },
            ]
        } else {
            let long = String(repeating: "s3cret", count: 50)
            errors += [
                try refusal { $0.credentials = .init(user: long, password: "s3cret") }
            ]
        }
        if kind == .socks4a {
            errors.append(
                try refusal { $0.credentials = .init(user: "s3\0cret", password: "") }
            )
        }
        for error in errors {
            guard case .invalidArgument(let text) = error else {
                Issue.record("got \(String(describing: error))")
                continue
            }
            #expect(!text.contains("cret"))
        }
        #expect(throws: TransportError.timedOut(.connecting)) {
            try listener.accept(until: .after(.zero))
        }
    }

    @Test(
        "A hanging proxy ends in the proxy time-out",
        arguments: [Proxy.Kind.http, .https, .socks4a, .socks5]
    )
    func hanging(kind: Proxy.Kind) throws {
        #expect(throws: TransportError.timedOut(.proxyHandshake)) {
            try connect(kind, to: "127.0.0.1", timeout: .milliseconds(50)) { stream in
                while try stream.readSome() != nil {}
            }
        }
    }

    @Test("A proxy that isn't there, or has no address, is reported as unreachable")
    func unreachable() throws {
        let listener = try Listener()
        listener.close()
        var plan = ConnectPlan(target: .host("a", port: 1), serverName: "a")
        for host in ["127.0.0.1", "proxy.invalid"] {
            plan.proxy = .http(host: host, port: listener.port)
            let error = #expect(throws: TransportError.self) {
                try Connector.connect(plan, wakeUp: WakeUp())
            }
            guard case .proxy(.unreachable(let text)) = error else {
                Issue.record("got \(String(describing: error))")
                continue
            }
            #expect(text.contains(host))
        }
    }

    @Test("abort ends the wait for a proxy")
    func abort() throws {
        let listener = try Listener()
        let wakeUp = try WakeUp()
        var plan = ConnectPlan(target: .host("a", port: 1), serverName: "a")
        plan.proxy = .http(host: "127.0.0.1", port: listener.port)
        let connecting = Background { [plan] in _ = try Connector.connect(plan, wakeUp: wakeUp) }
        let accepted = try listener.accept(until: .ample)
        _ = try accepted.readSome()
        wakeUp.signal()
        // The proxy is still there, so only the signal ends the wait.
        withExtendedLifetime(accepted) {
            _ = #expect(throws: TransportError.aborted) { try connecting.join() }
        }
    }

    @Test("TLS to the proxy is verified with its own options, and TLS to the target runs inside")
    func secureProxy() throws {
        let certificates = try Certificates.shared.get()
        func server(_ identity: Certificates.Identity) throws -> TLSServer {
            try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        }
        let proxyTLS = try server(certificates.server)
        let targetTLS = try server(certificates.wrongHost)
        let listener = try Listener()
        let playing = Background { () throws in
            let deadline = Deadline.ample
            let outer = try proxyTLS.accept(
                over: try listener.accept(until: deadline),
                until: deadline
            )
            _ = try outer.readSome()
            try outer.writeAll(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
            let inner = try targetTLS.accept(over: outer, until: deadline)
            while let bytes = try inner.readSome() { try inner.writeAll(bytes) }
            inner.finishWriting()
        }
        var plan = ConnectPlan(
            target: .host("other.example", port: 443),
            serverName: "other.example"
        )
        var proxy = Proxy.https(host: "127.0.0.1", port: listener.port)
        proxy.tls = certificates.trusting
        plan.proxy = proxy
        plan.tls = certificates.trusting
        let stream = try Connector.connect(plan, wakeUp: WakeUp())
        #expect(try stream.echoes(1_000_000))
        stream.finishWriting()
        #expect(try stream.readSome() == nil)
        try playing.join()

        let error = failure(.https) { stream in
            _ = try? proxyTLS.accept(over: stream, until: .ample)
        }
        guard case .proxy(.tls(let failure)) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        #expect(failure.kind == .verification)
    }

    /// A proxy over TLS that answers CONNECT with `answer`; returns its failure.
    private func secureFailure(
        _ identity: Certificates.Identity,
        _ answer: String = "",
        change: (inout Proxy) -> Void = { _ in }
    ) throws -> ProxyError {
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        let options = try Certificates.shared.get().trusting
        let error = failure(
            .https,
            change: {
                $0.tls = options
                change(&$0)
            },
            play: { stream in
                guard let secured = try? tls.accept(over: stream, until: .ample) else { return }
                try Self.answer(answer)(secured)
            }
        )
        guard case .proxy(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        return failure
    }

    @Test(
        "A proxy over TLS with a bad certificate gets no CONNECT, and the error says it's the proxy"
    )
    func secureProxyCertificates() throws {
        let certificates = try Certificates.shared.get()
        let bad = [
            (certificates.expired, "certificate has expired"),
            (certificates.wrongHost, "IP address mismatch"),
            (certificates.selfSigned, "self-signed certificate"),
            (certificates.unknownAuthority, "unable to get local issuer certificate"),
        ]
        for (identity, words) in bad {
            let failure = try secureFailure(identity)
            guard case .tls(let reason) = failure else { throw failure }
            #expect(reason.isVerificationFailure)
            #expect(failure.description.hasPrefix("TLS with the proxy: "))
            #expect(failure.description.contains(words), "\(failure)")
        }
        let pin = try #require(
            TLSOptions.PublicKeyPin(base64: try certificates.pin(of: certificates.client))
        )
        guard
            case .tls(let reason) = try secureFailure(
                certificates.server,
                change: { $0.tls.pinnedPublicKeys = [pin] }
            )
        else { throw SupportError("not TLS") }
        #expect(reason.kind == .pinMismatch)
    }

    @Test("A proxy over TLS refuses, and answers wrongly or not at all, as one in the clear does")
    func secureProxyAnswers() throws {
        let server = try Certificates.shared.get().server
        let refusal = try secureFailure(server, "HTTP/1.1 407 Who are you\r\n\r\n")
        #expect(refusal == .refused(status: 407, reason: "Who are you"))
        #expect(refusal.isAuthenticationFailure)
        #expect(
            try secureFailure(server, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
                == .refused(status: 502, reason: "Bad Gateway")
        )
        #expect(try secureFailure(server, "HTTP/1.1 200 O") == .closed)
        #expect(try secureFailure(server) == .closed)
        guard case .malformedAnswer = try secureFailure(server, "HTTP/1.1 200 OK\r\n\r\nmore")
        else { throw SupportError("accepted") }
    }

    // MARK: SOCKS 4

    @Test("SOCKS 4a sends the name, SOCKS 4 an address, both the user")
    func socks4() throws {
        func request(_ kind: Proxy.Kind, _ host: String, _ user: String) throws -> [UInt8] {
            try connect(
                kind,
                to: host,
                change: { $0.credentials = BasicCredentials(user: user, password: "") },
                play: { stream in
                    let request = try stream.readSome() ?? []
                    try stream.writeAll([0, 90, 0, 0, 0, 0, 0, 0, 42])
                    return request
                }
            ).played
        }
        #expect(
            try request(.socks4a, "target.example", "me")
                == [4, 1, 1, 187, 0, 0, 0, 1] + Array("me\0target.example\0".utf8)
        )
        #expect(try request(.socks4a, "1.2.3.4", "") == [4, 1, 1, 187, 1, 2, 3, 4, 0])
        #expect(try request(.socks4, "localhost", "") == [4, 1, 1, 187, 127, 0, 0, 1, 0])
    }

    @Test(
        "SOCKS 4 doesn't support IPv6, describes refusals, and rejects answers of other protocols"
    )
    func socks4Failures() {
        #expect(
            failure(.socks4, to: "::1") { stream in while try stream.readSome() != nil {} }
                == .proxy(.unsupportedAddress)
        )
        #expect(
            failure(.socks4a, play: Self.answer([0, 91, 0, 0, 0, 0, 0, 0]))
                == .proxy(.socksReply(version: 4, code: 91, text: "rejected or failed"))
        )
        #expect(failure(.socks4a, play: Self.answer([0, 90, 0])) == .proxy(.closed))
        let error = failure(.socks4a, play: Self.answer("HTTP/1.1 400 Bad Request\r\n\r\n"))
        guard case .proxy(.malformedAnswer) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    // MARK: SOCKS 5

    @Test("SOCKS 5h sends the name, SOCKS 5 an address; the tunnel begins right after the answer")
    func socks5() throws {
        func request(_ kind: Proxy.Kind, _ host: String, bound: [UInt8]) throws -> [UInt8] {
            let (stream, request) = try connect(kind, to: host) { stream in
                #expect(try stream.readExactly(3) == [5, 1, 0])
                try stream.writeAll([5, 0])
                let request = try stream.readSome() ?? []
                try stream.writeAll([5, 0, 0] + bound + [7])
                return request
            }
            #expect(try stream.readExactly(1) == [7])
            return request
        }
        let name = Array("target.example".utf8)
        #expect(
            try request(.socks5h, "target.example", bound: [1, 0, 0, 0, 0, 0, 0])
                == [5, 1, 0, 3, 14] + name + [1, 187]
        )
        #expect(
            try request(.socks5h, "::1", bound: [4] + [UInt8](repeating: 0, count: 18))
                == [5, 1, 0, 4] + [UInt8](repeating: 0, count: 15) + [1, 1, 187]
        )
        let local = try request(.socks5, "localhost", bound: [3, 2, 65, 66, 0, 0])
        #expect(local == [5, 1, 0, 1, 127, 0, 0, 1, 1, 187] || local[3] == 4)
    }

    @Test("User and password are sent in the sub-negotiation, and a refusal is a separate error")
    func socks5Credentials() throws {
        func play(_ verdict: UInt8) throws -> [UInt8] {
            try connect(
                .socks5h,
                change: { $0.credentials = BasicCredentials(user: "me", password: "s3cret") },
                play: { stream in
                    #expect(try stream.readExactly(4) == [5, 2, 0, 2])
                    try stream.writeAll([5, 2])
                    let credentials = try stream.readExactly(11)
                    try stream.writeAll([1, verdict])
                    if verdict == 0 {
                        _ = try stream.readSome()
                        try stream.writeAll([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                    }
                    return credentials
                }
            ).played
        }
        #expect(try play(0) == [1, 2] + Array("me".utf8) + [6] + Array("s3cret".utf8))
        let error = #expect(throws: TransportError.self) { try play(1) }
        #expect(error == .proxy(.authenticationFailed("wrong user name or password")))
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test("Refusals of SOCKS 5 are described in the words of RFC 1928")
    func socks5Failures() {
        #expect(
            failure(.socks5h, play: Self.answer([5, 0xff]))
                == .proxy(.authenticationFailed("it requires authentication, or allows nobody"))
        )
        #expect(
            failure(.socks5h, play: Self.answer([5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
                == .proxy(.socksReply(version: 5, code: 5, text: "connection refused"))
        )
        #expect(failure(.socks5h, play: Self.answer([5, 0, 5, 0, 0, 1, 0])) == .proxy(.closed))
        for bytes: [UInt8] in [[4, 0], [5, 2], [5, 3], [5, 0, 4, 0, 0, 1], [5, 0, 5, 0, 0, 9]] {
            let error = failure(.socks5h, play: Self.answer(bytes))
            guard case .proxy(.malformedAnswer) = error else {
                Issue.record("\(bytes): \(String(describing: error))")
                continue
            }
        }
    }
}
