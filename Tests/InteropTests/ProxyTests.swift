import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite(
    "Through real proxies",
    .blocking,
    .needs(.squid, .tinyproxy, .microsocks, .danted, .openssl)
)
struct ProxyTests {
    private let credentials = BasicCredentials(
        user: ProxyServers.user,
        password: ProxyServers.password
    )

    private func connect(
        _ kind: Proxy.Kind,
        _ server: ServerProcess,
        to host: String = "127.0.0.1",
        port: UInt16,
        credentials: BasicCredentials? = nil,
        tls: TLSOptions? = nil
    ) throws -> any ByteStream {
        let host = try Host(host)
        var plan = ConnectPlan(target: .host(host, port: port), serverName: host)
        plan.proxy = Proxy(kind, host: "127.0.0.1", port: server.port, credentials: credentials)
        plan.tls = tls
        plan.deadline = .ample
        return try Connector.connect(plan, wakeUp: WakeUp())
    }

    private func closedPort() throws -> UInt16 {
        let listener = try Listener()
        defer { listener.close() }
        return listener.port
    }

    /// Connects by name and by address, and over TLS; all of it must work.
    private func expectTunnel(
        _ kind: Proxy.Kind,
        _ server: ServerProcess,
        credentials: BasicCredentials? = nil,
        hosts: [String] = ["127.0.0.1", "localhost"]
    ) throws {
        let echo = try EchoServer()
        for host in hosts {
            let stream = try connect(
                kind,
                server,
                to: host,
                port: echo.port,
                credentials: credentials
            )
            #expect(try stream.echoes(), "to \(host)")
            stream.finishWriting()
            #expect(try stream.readSome() == nil, "to \(host)")
        }
        let certificates = try Certificates.shared.get()
        let secure = try EchoServer(
            tls: try TLSServer(
                certificateFile: certificates.server.certificate,
                keyFile: certificates.server.key
            )
        )
        var options = TLSOptions()
        options.certificateAuthorityFile = certificates.authority.certificate
        let stream = try connect(
            kind,
            server,
            to: hosts.last ?? "localhost",
            port: secure.port,
            credentials: credentials,
            tls: options
        )
        #expect(stream.isSecure)
        #expect(try stream.echoes(1_000_000))
    }

    private func failure(_ connect: () throws -> any ByteStream) throws -> ProxyError {
        let error = #expect(throws: TransportError.self) { _ = try connect() }
        guard case .proxy(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        #expect(!failure.description.contains(ProxyServers.password))
        return failure
    }

    private func status(_ failure: ProxyError) -> Int? {
        if case .refused(let status, _) = failure { status } else { nil }
    }

    @Test("squid: CONNECT, and a target that refuses")
    func squid() throws {
        let server = try ProxyServers.squid(withCredentials: false)
        try expectTunnel(.http, server)
        let port = try closedPort()
        #expect(status(try failure { try connect(.http, server, port: port) }) == 503)
    }

    @Test("squid: an IPv6 target in brackets")
    func squidIPv6() throws {
        let server = try ProxyServers.squid(withCredentials: false)
        let echo = try EchoServer(host: "::1")
        #expect(try connect(.http, server, to: "::1", port: echo.port).echoes())
    }

    @Test("squid: Basic credentials, right, wrong and missing")
    func squidCredentials() throws {
        let server = try ProxyServers.squid(withCredentials: true)
        try expectTunnel(.http, server, credentials: credentials)
        for wrong in [nil, BasicCredentials(user: ProxyServers.user, password: "no")] {
            let failure = try failure {
                try connect(.http, server, port: 1, credentials: wrong)
            }
            #expect(status(failure) == 407)
        }
    }

    @Test("tinyproxy: CONNECT, and a target that refuses")
    func tinyproxy() throws {
        let server = try ProxyServers.tinyproxy(withCredentials: false)
        try expectTunnel(.http, server)
        let port = try closedPort()
        #expect(try status(failure { try connect(.http, server, port: port) }) == 500)
    }

    @Test("tinyproxy: Basic credentials, right, wrong and missing")
    func tinyproxyCredentials() throws {
        let server = try ProxyServers.tinyproxy(withCredentials: true)
        let right = BasicCredentials(user: ProxyServers.user, password: "simple-password")
        try expectTunnel(.http, server, credentials: right)
        #expect(try status(failure { try connect(.http, server, port: 1) }) == 407)
        let wrong = BasicCredentials(user: ProxyServers.user, password: "no")
        let refusal = try failure { try connect(.http, server, port: 1, credentials: wrong) }
        #expect(status(refusal).map { [401, 407].contains($0) } == true)
    }

    @Test("microsocks: names resolved by the client or the proxy, and a target that refuses")
    func microsocks() throws {
        let server = try ProxyServers.microsocks(withCredentials: false)
        try expectTunnel(.socks5, server)
        try expectTunnel(.socks5h, server)
        let port = try closedPort()
        let refusal = try failure { try connect(.socks5h, server, port: port) }
        #expect(refusal == .socksReply(version: 5, code: 5, text: "connection refused"))
    }

    @Test("microsocks: user and password, right, wrong and missing")
    func microsocksCredentials() throws {
        let server = try ProxyServers.microsocks(withCredentials: true)
        try expectTunnel(.socks5h, server, credentials: credentials)
        let wrong = BasicCredentials(user: ProxyServers.user, password: "no")
        for credentials in [nil, wrong] {
            let refusal = try failure {
                try connect(.socks5h, server, port: 1, credentials: credentials)
            }
            guard case .authenticationFailed = refusal else {
                Issue.record("got \(refusal)")
                continue
            }
        }
    }

    @Test("dante: SOCKS 4, 5 and 5h", arguments: [Proxy.Kind.socks4, .socks5, .socks5h])
    func dante(kind: Proxy.Kind) throws {
        try expectTunnel(kind, try ProxyServers.dante())
    }

    @Test("dante: SOCKS 4a to an address; it doesn't support names with 4a")
    func danteAddress() throws {
        try expectTunnel(.socks4a, try ProxyServers.dante(), hosts: ["127.0.0.1"])
    }

    @Test("dante: a request that its rules forbid is refused with its reason")
    func danteRefusal() throws {
        let echo = try EchoServer()
        let server = try ProxyServers.dante(
            rules: "socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = \(echo.port) }"
        )
        let new = try failure { try connect(.socks5h, server, port: echo.port) }
        #expect(new == .socksReply(version: 5, code: 2, text: "not allowed by its rules"))
        let old = try failure { try connect(.socks4a, server, port: echo.port) }
        #expect(old == .socksReply(version: 4, code: 91, text: "rejected or failed"))
    }

    @Test("A SOCKS proxy that is configured as an HTTP proxy is reported")
    func confusion() throws {
        let server = try ProxyServers.microsocks(withCredentials: false)
        let failure = try failure { try connect(.http, server, port: 1) }
        #expect(failure == .malformedAnswer(MalformedHTTP.notHTTP.description))
    }
}
