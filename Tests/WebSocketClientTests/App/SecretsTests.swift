import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// The beginning of all secrets in these tests.
private let secret = "s3cr3t"

/// The texts to search for secrets.
private struct Evidence {
    var texts: [String] = []

    /// The beginnings of secrets, in plain text and in base64, at each of three offsets.
    static let needles =
        [secret]
        + (0..<3).map {
            String(Base64.encode(Array("uu:\(secret)".utf8.dropFirst($0))).dropLast(4))
        }

    mutating func add(_ error: any Error) {
        texts += ["\(error)", String(reflecting: error), error.localizedDescription]
        var dumped = ""
        if let error = error as? WebSocketError, case .badStatus = error { return }
        dump(error, to: &dumped)
        texts.append(dumped)
    }

    var leaks: [String] {
        texts.filter { text in Self.needles.contains { text.contains($0) } }
    }
}

extension TracingTests {
    /// Answers the head of one request with `reply`, or a CONNECT and then the request inside.
    private func answering(
        _ reply: String,
        connect: String? = nil,
        run body: (_ port: UInt16) throws -> Void
    ) throws {
        let listener = try Listener()
        let playing = Background {
            let stream = try listener.accept(until: .ample)
            for text in [connect, reply].compactMap(\.self) {
                var request = ""
                // A head, or a SOCKS 5 client's greeting.
                while !request.contains("\r\n\r\n"), !request.hasPrefix("\u{5}") {
                    guard let bytes = try stream.readSome() else { return }
                    request += String(decoding: bytes, as: UTF8.self)
                }
                try stream.writeAll(Array(text.utf8))
            }
            stream.finishWriting()
            while try stream.readSome() != nil {}
        }
        defer { _ = try? playing.join() }
        try body(listener.port)
    }

    /// Options in which everything possible is a secret.
    private var options: ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        options.headers = [
            "Authorization": "Bearer \(secret)-1", "X-Api-Key": "\(secret)-2",
            "X-Auth-Token": "\(secret)-3",
        ]
        options.cookie = "id=\(secret)-4"
        options.cookieJar = CookieJar()
        options.proxy = .none
        return options
    }

    private func url(_ port: UInt16) -> String {
        "ws://uu:\(secret)-5@127.0.0.1:\(port)/feed?token=\(secret)-6"
    }

    private static let refusals = [
        "HTTP/1.1 401 Unauthorized\r\nSet-Cookie: id=\(secret)-7\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ftp://uu:\(secret)-8@host/?\(secret)\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?token=\(secret)-9\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSet-Cookie id=\(secret)-10\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: id=\(secret)-11\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Set-Cookie: id=\(secret)-12\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
    ]

    @Test(
        "Neither the trace nor the error of a refused handshake contains a secret",
        arguments: refusals
    )
    func refusedSecrets(reply: String) throws {
        var evidence = Evidence()
        var isRefused = false
        let entries = try trace {
            try answering(reply) { port in
                do {
                    try WebSocket.connect(to: url(port), options: options).abort()
                } catch {
                    isRefused = true
                    evidence.add(error)
                }
            }
        }
        evidence.texts += entries
        #expect(isRefused)
        #expect(evidence.texts.contains { $0.contains("GET /feed?*** HTTP/1.1") })
        #expect(evidence.leaks == [])
    }

    @Test(
        "Neither the trace nor an error contains a proxy's secrets",
        arguments: [
            "HTTP/1.1 407 Nope\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "nonsense",
            "\u{5}\u{2}\u{1}\u{1}",
        ],
        [Proxy.Kind.http, .socks5h]
    )
    func proxySecrets(reply: String, kind: Proxy.Kind) throws {
        var evidence = Evidence()
        let entries = try trace {
            try answering(Self.refusals[0], connect: reply) { port in
                var options = options
                var proxy = Proxy(kind, host: "127.0.0.1", port: port)
                proxy.credentials = BasicCredentials(user: "uu", password: "\(secret)-13")
                proxy.headers = ["X-Token": "\(secret)-14"]
                options.proxy = .proxy(proxy)
                options.noProxy = []
                evidence.texts += ["\(proxy)", "\(options.proxy)"]
                do {
                    try WebSocket.connect(to: url(7), options: options).abort()
                } catch {
                    evidence.add(error)
                }
            }
        }
        evidence.texts += entries
        #expect(evidence.texts.count > 3)
        #expect(evidence.leaks == [])
    }

    @Test("Errors about the caller's arguments contain no secret")
    func argumentSecrets() throws {
        var evidence = Evidence()
        func expectRefusal(
            of url: String,
            _ change: (inout ConnectOptions) throws -> Void = { _ in }
        ) {
            var options = options
            do {
                try change(&options)
                try WebSocket.connect(to: url, options: options).abort()
                Issue.record("connected")
            } catch {
                evidence.add(error)
            }
        }
        let good = url(1)
        let entries = trace {
            for url in [
                "http://uu:\(secret)-20@host/", "ws://uu:\(secret)-21@ho st/",
                "ws://uu:\(secret)-22",
                "ws://uu:\(secret)-23@host:99999/?\(secret)", "ws://u%01u:\(secret)-24@host/",
                "ws://host/ ?\(secret)-25", good,
            ] {
                expectRefusal(of: url)
            }
            // Including a whole line given as a name.
            for name in ["Authorization", "X-Other", "X-A: \(secret)", "Sec-WebSocket-Extensions"] {
                expectRefusal(of: good) {
                    $0.headers = try HTTPFields([name: "\(secret)-26\r\nX: y"])
                }
            }
            expectRefusal(of: good) { $0.cookie = "\(secret)-27\n" }
            expectRefusal(of: good) { $0.origin = .custom("\(secret)-28\0") }
            expectRefusal(of: good) { $0.host = .custom("\(secret)-29 ?") }
            expectRefusal(of: good) { $0.connection = "\(secret)-30\r" }
            let proxy = Proxy.http(
                host: "127.0.0.1",
                port: 1,
                credentials: BasicCredentials(user: "u:u", password: "\(secret)-31")
            )
            expectRefusal(of: good) { $0.proxy = .proxy(proxy) }
        }
        evidence.texts += entries
        do {
            _ = try Proxy(parsing: "ftp://uu:\(secret)-32@host:1")
        } catch {
            evidence.add(error)
        }
        #expect(evidence.leaks == [])
        #expect(evidence.texts.count > 50)
    }

    @Test("Neither the trace nor an error contains a key's password")
    func keyPassword() throws {
        let certificates = try Certificates.shared.get()
        var evidence = Evidence()
        let entries = try trace {
            let listener = try Listener()
            var options = options
            options.tls.clientCertificate = TLSOptions.ClientCertificate(
                certificateFile: certificates.client.certificate,
                keyFile: certificates.encryptedClientKey,
                password: "\(secret)-40"
            )
            evidence.texts.append("\(options.tls)")
            do {
                let url = "wss://uu:\(secret)-41@127.0.0.1:\(listener.port)/?\(secret)-42"
                try WebSocket.connect(to: url, options: options).abort()
                Issue.record("connected")
            } catch {
                evidence.add(error)
            }
        }
        evidence.texts += entries
        #expect(evidence.leaks == [])
        #expect(evidence.texts.count > 3)
    }

    @Test("The search finds secrets that are there")
    func search() {
        var evidence = Evidence()
        evidence.texts = [
            "a \(secret) b", BasicCredentials(user: "uu", password: secret).fieldValue,
            BasicCredentials(user: "u", password: secret).fieldValue,
            BasicCredentials(user: "uuu", password: secret).fieldValue, "nothing",
        ]
        #expect(evidence.leaks.count == 4)
    }
}
