import Synchronization
import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Options of run_forever",
    .blocking,
    .needsSecureServer,
    .needs(.tinyproxy, .microsocks)
)
struct AppOptionTests {
    private let server = Counterpart.websockets

    /// The outcome of a run that sends one message, in words.
    private func outcome(
        of url: String,
        _ run: (WebSocketApp) throws -> Void
    ) throws -> [String] {
        let journal = Mutex<[String]>([])
        let app = WebSocketApp(
            url: url,
            onOpen: { app in try app.send("hello") },
            onMessage: { app, message in
                journal.withLock {
                    $0.append("\(message), secure: \(app.socket?.isSecure == true)")
                }
                app.close()
            },
            onError: { _, error in
                let words =
                    switch error {
                    case WebSocketError.proxy(let error) where error.isAuthenticationFailure:
                        "the proxy wants other credentials"
                    case WebSocketError.proxy: "the proxy failed"
                    case WebSocketError.timedOut(.proxyHandshake): "the proxy took too long"
                    case WebSocketError.tls: "TLS failed"
                    default: "\(error)"
                    }
                journal.withLock { $0.append(words) }
            },
            options: .interop
        )
        try run(app)
        return journal.withLock { $0 }
    }

    @Test("An app runs over TLS with the options of the run")
    func tls() throws {
        let url = try SecureServer.url(of: server)
        let trusting = try outcome(of: url) { app in
            try app.runForever(sslopt: try SecureServer.options.tls)
        }
        #expect(trusting == ["hello, secure: true"])
        #expect(try outcome(of: url) { try $0.runForever() } == ["TLS failed"])
    }

    @Test("A run goes through the given proxy, except to hosts reached directly")
    func proxy() throws {
        let url = try server.url()
        let http = try ProxyServers.tinyproxy(withCredentials: true)
        let socks = try ProxyServers.microsocks(withCredentials: true)
        let success = ["hello, secure: false"]
        func run(
            _ port: UInt16,
            _ kind: Proxy.Kind = .http,
            password: String?,
            noProxy: [String] = []
        ) throws -> [String] {
            try outcome(of: url) { app in
                try app.runForever(
                    httpProxyHost: "127.0.0.1",
                    httpProxyPort: port,
                    httpNoProxy: noProxy,
                    httpProxyAuth: password.map {
                        BasicCredentials(user: ProxyServers.user, password: $0)
                    },
                    proxyType: kind
                )
            }
        }
        #expect(try run(http.port, password: "simple-password") == success)
        #expect(try run(http.port, password: "wrong") == ["the proxy wants other credentials"])
        #expect(try run(socks.port, .socks5h, password: ProxyServers.password) == success)
        #expect(try run(1, password: nil) == ["the proxy failed"])
        #expect(try run(1, password: nil, noProxy: ["127.0.0.0/8"]) == success)
    }

    @Test("A run gives up on a silent proxy")
    func proxyTimeout() throws {
        let silent = try Listener()
        defer { silent.close() }
        let words = try outcome(of: try server.url()) { app in
            try app.runForever(
                httpProxyHost: "127.0.0.1",
                httpProxyPort: silent.port,
                httpNoProxy: [],
                httpProxyTimeout: .milliseconds(300)
            )
        }
        #expect(words == ["the proxy took too long"])
    }
}
