import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Against openssl s_server", .blocking, .needs(.openssl))
struct OpenSSLServerTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    /// A server that sends each line back reversed, to one client after the other.
    private func server(
        _ identity: Certificates.Identity,
        _ arguments: [String] = []
    ) throws -> ServerProcess {
        try ServerProcess("openssl") { port, _ in
            ["s_server", "-accept", "127.0.0.1:\(port)", "-rev"]
                + ["-cert", identity.certificate, "-key", identity.key] + arguments
        }
    }

    private var trusting: TLSOptions {
        var options = TLSOptions()
        options.certificateAuthorityFile = certificates.authority.certificate
        return options
    }

    private func connect(
        _ server: ServerProcess,
        _ options: TLSOptions,
        name: String = "localhost"
    ) throws -> any ByteStream {
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: server.port),
            serverName: try Host(serverName: name)
        )
        plan.tls = options
        plan.deadline = .ample
        return try Connector.connect(plan, wakeUp: WakeUp())
    }

    private func failure(_ connect: () throws -> any ByteStream) throws -> TLSError {
        let error = #expect(throws: TransportError.self) { _ = try connect() }
        guard case .tls(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        return failure
    }

    private func expectReversed(_ stream: any ByteStream) throws {
        try stream.writeAll(Array("hello\n".utf8))
        #expect(try stream.readExactly(6) == Array("olleh\n".utf8))
    }

    @Test("TLS 1.2 and 1.3 work, with names and addresses", arguments: ["-tls1_2", "-tls1_3"])
    func versions(flag: String) throws {
        let server = try server(certificates.server, [flag])
        for name in ["localhost", "127.0.0.1", "sub.example.test"] {
            try expectReversed(try connect(server, trusting, name: name))
        }
        #expect(try failure { try connect(server, trusting, name: "x.test") }.verifyCode == 62)
        #expect(try failure { try connect(server, trusting, name: "127.0.0.2") }.verifyCode == 64)
    }

    @Test("An expired, wrong, self-signed or unknown certificate is refused with OpenSSL's reason")
    func badCertificates() throws {
        let cases = [
            (certificates.expired, "certificate has expired"),
            (certificates.wrongHost, "hostname mismatch"),
            (certificates.selfSigned, "self-signed certificate"),
            (certificates.unknownAuthority, "unable to get local issuer certificate"),
        ]
        for (identity, words) in cases {
            let server = try server(identity)
            let failure = try failure { try connect(server, trusting) }
            #expect(failure.kind == .verification)
            #expect(failure.description.contains(words), "\(failure)")
            try expectReversed(try connect(server, TLSOptions(verification: .none)))
        }
    }

    @Test("A required client certificate is sent, with a plain or an encrypted key")
    func clientCertificate() throws {
        let server = try server(
            certificates.server,
            ["-Verify", "1", "-verify_return_error", "-CAfile", certificates.authority.certificate]
        )
        var options = trusting
        options.clientCertificate = .init(
            certificateFile: certificates.client.certificate,
            keyFile: certificates.client.key
        )
        try expectReversed(try connect(server, options))
        options.clientCertificate = .init(
            certificateFile: certificates.client.certificate,
            keyFile: certificates.encryptedClientKey,
            password: Certificates.password
        )
        try expectReversed(try connect(server, options))

        for password in [nil, "wrong"] {
            options.clientCertificate?.password = password
            let failure = try failure { try connect(server, options) }
            #expect(failure.kind == .configuration)
            #expect(failure.reason.contains(certificates.encryptedClientKey))
        }
        // The key of another certificate, and files that hold something else.
        let (client, key) = (certificates.client.certificate, certificates.client.key)
        for (certificate, key, culprit) in [
            (client, certificates.server.key, certificates.server.key), (key, key, key),
            (client, client, client),
        ] {
            options.clientCertificate = .init(certificateFile: certificate, keyFile: key)
            let failure = try failure { try connect(server, options) }
            #expect(failure.kind == .configuration)
            #expect(failure.reason.contains(culprit), "\(failure)")
        }
    }

    @Test(
        "A missing or unknown client certificate is reported by the server's alert"
    )
    func missingClientCertificate() throws {
        var stranger = trusting
        stranger.clientCertificate = .init(
            certificateFile: certificates.unknownAuthority.certificate,
            keyFile: certificates.unknownAuthority.key
        )
        for (options, words) in [(trusting, "certificate required"), (stranger, "unknown ca")] {
            let server = try server(
                certificates.server,
                ["-Verify", "1", "-verify_return_error", "-tls1_3"]
                    + ["-CAfile", certificates.authority.certificate]
            )
            // In TLS 1.3 the client has finished before the server has checked its certificate.
            let failure = try failure {
                let stream = try connect(server, options)
                _ = try stream.readSome()
                return stream
            }
            #expect(failure.reason.contains(words), "\(failure)")
        }
    }

    @Test("ALPN offers http/1.1 by default")
    func applicationProtocols() throws {
        let server = try server(certificates.server, ["-alpn", "http/1.1"])
        for offered in [["http/1.1"], []] {
            var options = trusting
            options.applicationProtocols = offered
            let stream = try connect(server, options)
            #expect((stream as? TLSStream)?.session.applicationProtocol == offered.first)
            try expectReversed(stream)
        }
    }

    @Test("SNI is sent for a name, but not for an address")
    func serverName() throws {
        // The server refuses every name but this one, and takes a client that sends none.
        let server = try server(
            certificates.server,
            ["-servername", "localhost", "-servername_fatal"]
                + ["-cert2", certificates.server.certificate, "-key2", certificates.server.key]
        )
        for name in ["localhost", "localhost.", "127.0.0.1", "::1"] {
            try expectReversed(try connect(server, trusting, name: name))
        }
        let failure = try failure { try connect(server, trusting, name: "a.example.test") }
        #expect(failure.kind == .handshake && failure.reason.contains("unrecognized name"))
    }

    @Test("Cipher suites and groups are negotiated, and having none in common is an error")
    func ciphers() throws {
        let server = try server(certificates.server, ["-tls1_2", "-cipher", "ECDHE+AESGCM"])
        var options = trusting
        options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"
        do {
            let stream = try connect(server, options)
            #expect((stream as? TLSStream)?.session.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256")
        }
        options.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"
        let failure = try failure { try connect(server, options) }
        #expect(failure.kind == .handshake && failure.reason.contains("handshake failure"))
    }

    @Test("Sessions are resumed in both versions", arguments: ["-tls1_2", "-tls1_3"])
    func resumption(flag: String) throws {
        let server = try server(certificates.server, [flag])
        for expected in [false, true, true] {
            let stream = try connect(server, trusting)
            try expectReversed(stream)
            #expect((stream as? TLSStream)?.session.isResumed == expected)
            stream.finishWriting()
        }
    }

    // Environment variables affect the whole process, so these tests run in one of their own.

    @Test("Without an option, the environment's bundle is used, a file or a directory")
    func bundle() async {
        await #expect(processExitsWith: .success) {
            Leaks.ignoreInThisProcess()
            let tests = try OpenSSLServerTests()
            let server = try tests.server(tests.certificates.server)
            let folder = try tests.certificates.hashedFolder()
            for path in [tests.certificates.authority.certificate, folder] {
                setenv("WEBSOCKET_CLIENT_CA_BUNDLE", path, 1)
                try tests.expectReversed(try tests.connect(server, TLSOptions()))
            }
            setenv("WEBSOCKET_CLIENT_CA_BUNDLE", "/nowhere", 1)
            let failure = try tests.failure { try tests.connect(server, TLSOptions()) }
            #expect(failure.kind == .configuration && failure.reason.contains("/nowhere"))
            try tests.expectReversed(try tests.connect(server, tests.trusting))
            unsetenv("WEBSOCKET_CLIENT_CA_BUNDLE")
            #expect(
                try tests.failure { try tests.connect(server, TLSOptions()) }.kind == .verification
            )
        }
    }

    @Test("Without an option, SSLKEYLOGFILE names the key log")
    func keyLog() async {
        await #expect(processExitsWith: .success) {
            Leaks.ignoreInThisProcess()
            let tests = try OpenSSLServerTests()
            let server = try tests.server(tests.certificates.server)
            let folder = try TemporaryFolder()
            setenv("SSLKEYLOGFILE", "\(folder.path)/keys", 1)
            try tests.expectReversed(try tests.connect(server, tests.trusting))
            let text = try runProgram("cat", ["\(folder.path)/keys"])
            #expect(text.contains("CLIENT_TRAFFIC_SECRET_0 "))
        }
    }
}
