import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Options and redirects", .blocking)
struct RedirectTests {
    /// The TLS options for the second connection, which isn't made.
    private func optionsAfterRedirect(to location: String) throws -> TLSOptions? {
        var options = ConnectOptions()
        options.proxy = .none
        options.tls.minimumVersion = .tls13
        options.tls.clientCertificate = .init(certificateFile: "/own/client.pem")
        options.tls.serverName = "name.test"
        options.tls.pinnedPublicKeys = Set(
            [TLSOptions.PublicKeyPin(sha256: Array(0..<32))].compactMap(\.self)
        )
        options.tls.contextHook = TLSContextHook { _ in }
        let (stream, server) = try makeStreamPair()
        defer { server.abort() }
        try server.writeAll(
            Array("HTTP/1.1 302 Found\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n".utf8)
        )
        var plans: [ConnectPlan] = []
        let socket = WebSocket()
        let error = failure {
            try socket.open("wss://first.test/", options: options) {
                (plan, _) throws(TransportError) in
                plans.append(plan)
                guard plans.count == 1 else { throw .aborted }
                return stream
            }
        }
        guard case .aborted = error else {
            throw SupportError("ended by \(String(describing: error))")
        }
        try #require(plans.count == 2)
        #expect(plans[0].tls == options.tls)
        return plans[1].tls
    }

    @Test(
        "Client certificate, server name, pins and context hook stay with their origin",
        arguments: ["wss://second.test/", "//first.test:444/"]
    )
    func otherOrigin(location: String) throws {
        let options = try #require(try optionsAfterRedirect(to: location))
        #expect(options.clientCertificate == nil && options.serverName == nil)
        #expect(options.pinnedPublicKeys.isEmpty && options.contextHook == nil)
        #expect(options.minimumVersion == .tls13)
    }

    @Test("Within an origin, they are used again")
    func sameOrigin() throws {
        let options = try #require(try optionsAfterRedirect(to: "/elsewhere"))
        #expect(options.clientCertificate?.certificateFile == "/own/client.pem")
        #expect(options.serverName == "name.test" && options.contextHook != nil)
        #expect(options.pinnedPublicKeys.count == 1)
    }
}
