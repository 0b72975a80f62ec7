import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite("Redirects by other projects' servers", .blocking, .needsSecureServer)
struct RedirectTests {
    /// A URL that redirects to another one.
    private func url(to target: String, status: Int = 302) throws -> String {
        let target = try #require(
            target.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        )
        return try Counterpart.aiohttp.url("/redirect?status=\(status)&to=\(target)")
    }

    private func connect(
        to url: String,
        _ options: ConnectOptions = .interop
    ) throws -> HTTPFields {
        let socket = try WebSocket.connect(to: url, options: options)
        let fields = try socket.requestFields()
        #expect(socket.status == 101)
        try socket.close()
        return fields
    }

    @Test("Every redirecting status is followed", arguments: [301, 302, 303, 307, 308])
    func statuses(status: Int) throws {
        _ = try connect(to: url(to: "/headers", status: status))
    }

    @Test("A location may be relative or absolute, with an HTTP or a WebSocket scheme")
    func locations() throws {
        let authority = try Counterpart.aiohttp.authority
        for location in ["/headers", "headers?a=b", "./x/../headers", "//\(authority)/headers"] {
            _ = try connect(to: url(to: location))
        }
        for scheme in ["ws", "http", "HTTP"] {
            let fields = try connect(to: url(to: "\(scheme)://\(authority)/headers"))
            #expect(fields["Host"] == authority)
        }
    }

    @Test("Redirects are followed one after the other, up to the limit")
    func limit() throws {
        let two = try url(to: url(to: "/headers"))
        _ = try connect(to: two)
        var options = ConnectOptions.interop
        options.redirectLimit = 1
        let error = errorThrown { _ = try connect(to: two, options) }
        guard case .handshakeFailed(.redirect(.tooMany(maximum: 1))) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("An endless redirect is given up")
    func loop() throws {
        let error = errorThrown { _ = try connect(to: Counterpart.aiohttp.url("/loop")) }
        guard case .handshakeFailed(.redirect(.tooMany(maximum: 3))) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("Credentials and cookies are sent again to the same origin, but not to another")
    func credentials() throws {
        var options = ConnectOptions.interop
        let trace: HTTPField.Name = .init("X-Trace")!
        options.headers = [.authorization: "Bearer secret", trace: "1"]
        options.cookie = "a=secret"
        let same = try connect(to: url(to: "/headers"), options)
        #expect(same["Authorization"] == "Bearer secret")
        #expect(same["Cookie"] == "a=secret")
        #expect(same["X-Trace"] == "1")

        let elsewhere = try url(to: Counterpart.websockets.url("/headers"))
        #expect(try !connect(to: elsewhere, options).contains("X-Trace"))

        options.headersForOtherOrigins = [trace]
        let other = try connect(to: elsewhere, options)
        #expect(!other.contains("Authorization"))
        #expect(!other.contains("Cookie"))
        #expect(other["X-Trace"] == "1")
        #expect(try other["Host"] == Counterpart.websockets.authority)
        #expect(!other.contains { $0.value.contains("secret") })
    }

    @Test("A redirect may lead from ws to wss")
    func upgrade() throws {
        let target = try SecureServer.url(of: .ws, "/headers")
        let socket = try WebSocket.connect(to: url(to: target), options: SecureServer.options)
        #expect(socket.isSecure)
        _ = try socket.requestFields()
        try socket.close()
    }

    @Test("A redirect from wss to ws is refused unless it is allowed")
    func downgrade() throws {
        var options = try SecureServer.options
        let url = try SecureServer.url("/to-plain")
        let error = errorThrown { _ = try connect(to: url, options) }
        guard case .handshakeFailed(.redirect(.downgrade)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        options.allowsInsecureRedirects = true
        options.headers = ["Authorization": "Bearer secret"]
        #expect(try !connect(to: url, options).contains("Authorization"))
    }
}
