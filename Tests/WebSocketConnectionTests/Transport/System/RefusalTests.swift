import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

// Each runs in a process of its own: a refusal stays, and a thread that the client starts meanwhile and
// keeps would inherit it.

@Suite("When the system says no, the call fails and names what was refused", .blocking)
struct RefusalTests {
    /// What `body` throws on a thread to which the kernel refuses `call`.
    private static func failure(
        without call: SystemCallFilter.Call,
        _ body: @escaping @Sendable () throws -> Void
    ) throws -> String {
        try Background {
            try SystemCallFilter.refuse(call)
            do {
                try body()
                return "nothing was thrown"
            } catch {
                return "\(error)"
            }
        }.join()
    }

    private static var options: ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        options.proxy = .none
        options.cookieJar = nil
        return options
    }

    @Test("The random source: no handshake without a key, no frame without a mask")
    func randomSource() async {
        await #expect(processExitsWith: .success) { try RefusalTests.refuseRandomSource() }
    }

    private static func refuseRandomSource() throws {
        let server = try LoopbackServer()
        let url = server.url()
        let handshake = try failure(without: .getrandom) {
            try WebSocket.connect(to: url, options: options).abort()
        }
        try expect(handshake, "getrandom failed: Operation not permitted")
        let socket = try WebSocket.connect(to: url, options: options)
        let sending = try failure(without: .getrandom) { try socket.send("hello") }
        try expect(sending, "getrandom failed: Operation not permitted")
        // Nothing has left: the connection can be used as soon as there are keys.
        try socket.send("later")
        try #require(try socket.receive() == .text("later"))
        server.stop()
    }

    @Test("Sockets, their options, events and threads")
    func descriptors() async {
        await #expect(processExitsWith: .success) { try RefusalTests.refuseDescriptors() }
    }

    private static func refuseDescriptors() throws {
        let server = try LoopbackServer()
        let url = server.url()
        let port = server.port
        let socket = try failure(without: .socket) {
            try WebSocket.connect(to: url, options: options).abort()
        }
        try expect(socket, "127.0.0.1:\(port): socket: Operation not permitted")
        let option = try failure(without: .setsockopt) {
            var options = options
            options.socketOptions = [.keepAlive(false)]
            try WebSocket.connect(to: url, options: options).abort()
        }
        try expect(option, "setsockopt failed: Operation not permitted")
        let event = try failure(without: .eventfd2) {
            try WebSocket.connect(to: url, options: options).abort()
        }
        try expect(event, "eventfd failed: Operation not permitted")
        // A name, unlike an address, is looked up on a thread of its own.
        let thread = try failure(without: .clone3) {
            try WebSocket.connect(to: "ws://localhost:\(port)/", options: options).abort()
        }
        try expect(thread, "pthread_create failed: Operation not permitted")
        let poller = try failure(without: .epoll_create1) { _ = try Dispatcher() }
        try expect(poller, "epoll_create1 failed: Operation not permitted")
        server.stop()
    }

    @Test("The crypto library: TLS says so, and what needs no TLS goes on")
    func cryptography() async {
        await #expect(processExitsWith: .success) { try RefusalTests.refuseCryptography() }
    }

    private static func refuseCryptography() throws {
        let folder = try TemporaryFolder()
        // A configuration whose only provider has no algorithms, as a broken installation or a
        // policy may leave it.
        let configuration = try folder.write(
            """
            openssl_conf = all
            [all]
            providers = only
            [only]
            null = nothing
            [nothing]
            activate = 1

            """,
            to: "openssl.cnf"
        )
        setenv("OPENSSL_CONF", configuration, 1)
        let server = try LoopbackServer()
        let socket = try WebSocket.connect(to: server.url(), options: options)
        try socket.send("hello")
        try #require(try socket.receive() == .text("hello"))
        for url in ["wss://127.0.0.1:\(server.port)/", "wss://localhost:\(server.port)/"] {
            let words = try #require(
                TestSupport.failure { try WebSocket.connect(to: url, options: options) }
            )
            try expect("\(words)", "OpenSSL")
        }
        let error = #expect(throws: TransportError.self) { try SHA256.digest([]) }
        try expect("\(error as Any)", "SHA-256: unsupported")
        server.stop()
    }

    @Test("The clock: a certificate that isn't valid now comes with the time that this machine has")
    func clock() throws {
        let certificates = try Certificates.shared.get()
        let folder = try TemporaryFolder()
        let future = Certificates.Identity(
            certificate: "\(folder.path)/chain.pem",
            key: "\(folder.path)/key.pem"
        )
        let authority = "\(folder.path)/authority.pem"
        try CertificateChain(count: 1, beginsIn: .seconds(86_400))
            .write(to: future, authority: authority)
        var trusting = TLSOptions()
        trusting.certificateAuthorityFile = authority
        let cases = [
            (future, trusting, "certificate is not yet valid"),
            (certificates.expired, certificates.trusting, "certificate has expired"),
        ]
        for (identity, options, words) in cases {
            let error = #expect(throws: TransportError.self) {
                try TLSPair(identity).connect(options)
            }
            let text = "\(error as Any)"
            #expect(text.contains(words), "\(text)")
            let clock = /this machine's clock says \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/
            #expect(text.contains(clock), "\(text)")
        }
    }
}

/// Inside of a process that only exits with success or not, an error has to be thrown to be seen.
private func expect(_ text: String, _ words: String) throws {
    guard text.contains(words) else { throw SupportError("\(text) has no \(words)") }
}
