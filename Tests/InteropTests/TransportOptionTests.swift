import Glibc
import TestSupport
import Testing
import WebSocketClient

/// Options of websocket-client's `create_connection`, each named in a title.
@Suite(
    "Options of create_connection for time-outs, proxies, sockets and TLS",
    .blocking,
    .needsSecureServer,
    .needs(.tinyproxy, .microsocks, .danted)
)
struct TransportOptionTests {
    private let server = Counterpart.websockets

    // MARK: Time-outs

    @Test("timeout: limits the handshake and each later call on the socket")
    func timeout() throws {
        let silent = try Listener()
        defer { silent.close() }
        let limit = Duration.milliseconds(300)
        let handshake = errorThrown {
            try createConnection(
                "ws://127.0.0.1:\(silent.port)/",
                timeout: limit,
                options: .interop
            )
        }
        guard case .timedOut(.handshake) = handshake else {
            Issue.record("\(String(describing: handshake))")
            return
        }
        let socket = try createConnection(
            server.url(),
            timeout: .seconds(20),
            options: .interop
        )
        #expect(socket.timeout == .seconds(20))
        socket.timeout = limit
        #expect(errorThrown { try socket.receive() }?.isReceiveTimeout == true)
        try socket.send("after the time-out")
        socket.timeout = .seconds(20)
        #expect(try socket.receive() == .text("after the time-out"))
        try socket.close()
    }

    // MARK: Proxies

    @Test("http_proxy_host, http_proxy_port, http_proxy_auth: CONNECT with user and password")
    func httpProxy() throws {
        let proxy = try ProxyServers.tinyproxy(withCredentials: true)
        func connect(_ password: String) throws -> WebSocket {
            try createConnection(
                server.url(),
                httpProxyHost: "127.0.0.1",
                httpProxyPort: proxy.port,
                httpProxyAuth: BasicCredentials(user: ProxyServers.user, password: password),
                httpNoProxy: [],
                options: .interop
            )
        }
        let socket = try connect("simple-password")
        try socket.send("through a proxy")
        #expect(try socket.receive() == .text("through a proxy"))
        try socket.close()
        let error = errorThrown { try connect("wrong-password") }
        guard case .proxy(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.isAuthenticationFailure)
        #expect(!"\(refusal)".contains("wrong-password"))
    }

    @Test("http_proxy_port: a proxy's host without a port is refused")
    func proxyWithoutPort() throws {
        let error = errorThrown {
            try createConnection(server.url(), httpProxyHost: "127.0.0.1", options: .interop)
        }
        guard case .invalidArgument = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("proxy_type: every kind of SOCKS, with http_proxy_auth where it supports credentials")
    func proxyType() throws {
        let plain = try ProxyServers.dante()
        let guarded = try ProxyServers.microsocks(withCredentials: true)
        let credentials = BasicCredentials(
            user: ProxyServers.user,
            password: ProxyServers.password
        )
        let choices: [(Proxy.Kind, UInt16, BasicCredentials?)] = [
            (.socks4, plain.port, nil), (.socks4a, plain.port, nil), (.socks5, plain.port, nil),
            (.socks5h, plain.port, nil), (.socks5, guarded.port, credentials),
            (.socks5h, guarded.port, credentials),
        ]
        for (kind, port, credentials) in choices {
            let socket = try createConnection(
                server.url(),
                httpProxyHost: "127.0.0.1",
                httpProxyPort: port,
                httpProxyAuth: credentials,
                httpNoProxy: [],
                proxyType: kind,
                options: .interop
            )
            try socket.send("through \(kind)")
            #expect(try socket.receive() == .text("through \(kind)"))
            try socket.close()
        }
    }

    @Test("http_no_proxy: hosts that are reached directly", arguments: ["127.0.0.0/8", "*"])
    func noProxy(entry: String) throws {
        func connect(_ noProxy: [String]) throws -> WebSocket {
            try createConnection(
                server.url(),
                httpProxyHost: "127.0.0.1",
                httpProxyPort: 1,
                httpNoProxy: noProxy,
                options: .interop
            )
        }
        try connect(["other.example", entry]).close()
        guard case .proxy = errorThrown(by: { try connect(["other.example"]) }) else {
            Issue.record("the proxy was bypassed")
            return
        }
    }

    @Test("http_proxy_timeout: a silent proxy is given up")
    func proxyTimeout() throws {
        let silent = try Listener()
        defer { silent.close() }
        let error = errorThrown {
            try createConnection(
                server.url(),
                httpProxyHost: "127.0.0.1",
                httpProxyPort: silent.port,
                httpNoProxy: [],
                httpProxyTimeout: .milliseconds(300),
                options: .interop
            )
        }
        guard case .timedOut(.proxyHandshake) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // MARK: Sockets and TLS

    @Test("socket: a connected socket is used as it is, and closed with the connection")
    func socket() throws {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = try server.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
        let socket = try createConnection(
            "ws://name.invalid/headers",
            socket: descriptor,
            options: .interop
        )
        #expect(socket.fileDescriptor == descriptor)
        #expect(try socket.requestFields()["Host"] == "name.invalid")
        try socket.close()
    }

    @Test("socket: a Unix socket by its path")
    func unixSocket() throws {
        var options = ConnectOptions.interop
        options.unixSocketPath = try Counterpart.unixSocketPath
        let socket = try createConnection("ws://name.invalid/headers", options: options)
        #expect(try socket.requestFields()["Host"] == "name.invalid")
        try socket.send("through a path")
        #expect(try socket.receive() == .text("through a path"))
        try socket.close()
    }

    @Test("sockopt: options are set in addition to the defaults")
    func socketOptions() throws {
        let socket = try createConnection(
            server.url(),
            sockopt: [.receiveBufferSize(20_000), .keepAliveIdle(seconds: 77)],
            options: .interop
        )
        let descriptor = try #require(socket.fileDescriptor)
        func value(_ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = -1
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, level, name, &value, &size)
            return value
        }
        #expect(value(SOL_SOCKET, SO_RCVBUF) == 40_000)
        #expect(value(Int32(IPPROTO_TCP), TCP_KEEPIDLE) == 77)
        #expect(value(Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
        #expect(value(SOL_SOCKET, SO_KEEPALIVE) == 1)
        try socket.close()
    }

    @Test("sslopt: the caller's own authority, or no verification")
    func tls() throws {
        let url = try SecureServer.url(of: server)
        for options in [try SecureServer.options.tls, TLSOptions(verification: .none)] {
            let socket = try createConnection(url, sslopt: options, options: .interop)
            #expect(socket.isSecure)
            try socket.close()
        }
        guard case .tls = errorThrown(by: { try createConnection(url, options: .interop) }) else {
            Issue.record("the certificate was not checked")
            return
        }
    }
}
