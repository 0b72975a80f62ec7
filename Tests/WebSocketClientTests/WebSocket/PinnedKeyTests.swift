import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Pinned keys over redirects and reconnections", .blocking)
struct PinnedKeyTests {
    private let certificates: Certificates
    /// Of the same authority and for the same hosts, with another key.
    private let otherKey: Certificates.Identity
    private let options: ConnectOptions

    init() throws {
        certificates = try Certificates.shared.get()
        // With a name of its own, as other tests of this suite make theirs meanwhile.
        let name = "other-key-\(UInt64.random(in: 0...UInt64.max))"
        otherKey = try certificates.identity(named: name, for: "IP:127.0.0.1")
        var options = ConnectOptions(timeout: .ample)
        options.proxy = .none
        options.cookieJar = nil
        options.tls = certificates.trusting
        options.tls.pinnedPublicKeys = [
            try #require(.init(base64: try certificates.pin(of: certificates.server)))
        ]
        self.options = options
    }

    /// A server whose connections present these keys in turn, the last one for good, and which redirects
    /// `/moved` to `location`.
    private func withServer<Result>(
        _ identities: [Certificates.Identity],
        redirectingTo location: String = "/here",
        run body: (_ url: String) throws -> Result
    ) throws -> Result {
        let listener = try Listener()
        defer { listener.close() }
        let servers = try identities.map {
            try TLSServer(certificateFile: $0.certificate, keyFile: $0.key)
        }
        let serving = Background {
            var count = 0
            while let stream = try? listener.accept(until: .never) {
                let tls = servers[min(count, servers.count - 1)]
                count += 1
                // A client that refuses the key breaks off.
                try? serve(stream, tls, redirectingTo: location)
            }
        }
        defer { _ = try? serving.join() }
        defer { listener.close() }
        return try body("wss://127.0.0.1:\(listener.port)")
    }

    private func serve(
        _ lower: any ByteStream,
        _ tls: TLSServer,
        redirectingTo location: String
    ) throws {
        let stream = try tls.accept(over: lower, until: .ample)
        let connection = try ServerConnection(accepting: stream, compression: nil) { target, _ in
            guard target == "/moved" else { return nil }
            return HandshakeResponse(
                statusCode: 302,
                reasonPhrase: "Found",
                headers: ["Location": location, "Content-Length": "0"]
            )
        }
        try connection.send(text: "welcome")
        try connection.sendClose(code: 4000, reason: "again")
        connection.waitForEnd()
    }

    private func expectMismatch(_ error: WebSocketError?) {
        guard case .tls(let failure) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
        #expect(failure.kind == .pinMismatch)
    }

    @Test("They apply again if a redirect stays within the origin")
    func sameOrigin() throws {
        try withServer([certificates.server]) { url in
            let socket = try WebSocket.connect(to: url + "/moved", options: options)
            #expect(try socket.receive() == .text("welcome"))
        }
        // Whoever sits at the same address later has to have the key too.
        try withServer([certificates.server, otherKey]) { url in
            expectMismatch(failure { try WebSocket.connect(to: url + "/moved", options: options) })
        }
    }

    @Test("They don't apply to another origin, which is verified without them")
    func otherOrigin() throws {
        try withServer([otherKey]) { second in
            try withServer([certificates.server], redirectingTo: second) { first in
                let socket = try WebSocket.connect(to: first + "/moved", options: options)
                #expect(try socket.receive() == .text("welcome"))
            }
        }
        try withServer([certificates.selfSigned]) { second in
            try withServer([certificates.server], redirectingTo: second) { first in
                let error = failure {
                    try WebSocket.connect(to: first + "/moved", options: options)
                }
                guard case .tls(let reason) = error else { throw SupportError("\(error as Any)") }
                #expect(reason.kind == .verification)
            }
        }
    }

    @Test("A server that comes back with another key is refused, until the right one is back")
    func reconnection() throws {
        let keys = [certificates.server, otherKey, otherKey, certificates.server]
        let journal = Journal()
        try withServer(keys) { url in
            let app = WebSocketApp.noting(
                in: journal,
                url: url,
                onClose: { app, _, _ in if journal.count(of: "text") == 2 { app.close() } },
                options: options
            )
            _ = try app.runForever(reconnect: .every(.milliseconds(1)))
        }
        let mismatch = "error The peer's public key is not one of the pinned keys: 127.0.0.1."
        #expect(journal.entries.count { $0 == mismatch } == 2, "\(journal.entries)")
        #expect(journal.count(of: "open") + journal.count(of: "reconnect") == 2)
        #expect(journal.count(of: "text welcome") == 2)
    }
}
