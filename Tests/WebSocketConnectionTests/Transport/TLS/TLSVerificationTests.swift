import Foundation
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("TLS verification and options", .blocking)
struct TLSVerificationTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    private func failure(
        _ identity: Certificates.Identity,
        _ options: TLSOptions,
        name: String = "localhost"
    ) throws -> TLSError {
        let error = #expect(throws: TransportError.self) {
            try TLSPair(identity).connect(options, name: name)
        }
        guard case .tls(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        return failure
    }

    @Test(
        "A trusted authority's certificate for the host is accepted",
        arguments: [
            "localhost", "LOCALHOST", "localhost.", "a.example.test", "127.0.0.1", "::1", "[::1]",
        ]
    )
    func accepted(name: String) throws {
        let (client, server) = try TLSPair(certificates.server)
            .connect(certificates.trusting, name: name)
        #expect(client.isSecure)
        try client.writeAll([1, 2, 3])
        #expect(try server.readSome() == [1, 2, 3])
        try server.writeAll([4])
        #expect(try client.readSome() == [4])
    }

    @Test("Without options, only the system's authorities are trusted")
    func defaultAuthorities() throws {
        let failure = try failure(certificates.server, TLSOptions())
        #expect(failure.kind == .verification)
        #expect(failure.description.contains("unable to get local issuer certificate"))
    }

    @Test("An expired certificate is refused with OpenSSL's reason")
    func expired() throws {
        let failure = try failure(certificates.expired, certificates.trusting)
        #expect(failure.kind == .verification)
        #expect(failure.description.contains("certificate has expired"))
        #expect(failure.verifyCode == 10)
    }

    @Test(
        "A certificate for another host is refused, for names and addresses",
        arguments: [
            "localhost", "a.example.test", "127.0.0.1", "::1", "example", "deep.other.example",
        ]
    )
    func wrongHost(name: String) throws {
        let failure = try failure(certificates.wrongHost, certificates.trusting, name: name)
        #expect(failure.kind == .verification)
        #expect(failure.description.contains("mismatch"))
        #expect(failure.description.contains(name))
    }

    @Test(
        "A wildcard covers one label and nothing else",
        arguments: ["example.test", "a.b.example.test", "xexample.test"]
    )
    func wildcard(name: String) throws {
        #expect(
            try failure(certificates.server, certificates.trusting, name: name).kind
                == .verification
        )
    }

    @Test("The Common Name isn't compared with the host")
    func commonName() throws {
        // The subject of each is its name here; the second has only an address in its SAN.
        for name in ["common-name.test", "common-name-and-address.test"] {
            let identity = try certificates.identity(
                named: name,
                for: name.contains("address") ? "IP:192.0.2.1" : nil
            )
            let failure = try failure(identity, certificates.trusting, name: name)
            #expect(failure.kind == .verification && failure.description.contains("mismatch"))
        }
    }

    @Test("A self-signed certificate is refused")
    func selfSigned() throws {
        let failure = try failure(certificates.selfSigned, certificates.trusting)
        #expect(failure.description.contains("self-signed certificate"))
    }

    @Test("A self-signed certificate may be trusted by itself")
    func trustedSelfSigned() throws {
        var options = TLSOptions()
        options.certificateAuthorityFile = certificates.selfSigned.certificate
        _ = try TLSPair(certificates.selfSigned).connect(options)
    }

    @Test("A certificate of another authority is refused")
    func unknownAuthority() throws {
        let failure = try failure(certificates.unknownAuthority, certificates.trusting)
        #expect(failure.description.contains("unable to get local issuer certificate"))
    }

    @Test("chainOnly accepts another host and nothing else")
    func chainOnly() throws {
        var options = certificates.trusting
        options.verification = .chainOnly
        _ = try TLSPair(certificates.wrongHost).connect(options)
        #expect(try failure(certificates.expired, options).verifyCode == 10)
        #expect(try failure(certificates.unknownAuthority, options).kind == .verification)
    }

    @Test("Without verification, every certificate is accepted")
    func none() throws {
        let options = TLSOptions(verification: .none)
        for identity in [
            certificates.expired, certificates.wrongHost, certificates.selfSigned,
            certificates.unknownAuthority,
        ] {
            _ = try TLSPair(identity).connect(options)
        }
    }

    @Test("The server's name can be replaced for verification and SNI")
    func serverName() throws {
        var options = certificates.trusting
        options.serverName = "other.example"
        _ = try TLSPair(certificates.wrongHost).connect(options)
        #expect(try failure(certificates.server, options).kind == .verification)
    }

    @Test(
        "A name that is empty, begins with a dot or contains NUL is refused, not left unchecked",
        arguments: ["", "localhost\0.x", ".example.test", ".localhost"]
    )
    func unusableName(name: String) throws {
        let error = #expect(throws: TransportError.self) {
            try TLSPair(certificates.server).connect(certificates.trusting, name: name)
        }
        guard case .invalidArgument = error else {
            throw SupportError("got \(String(describing: error))")
        }
    }

    @Test("Authorities can come from a directory")
    func directory() throws {
        var options = TLSOptions()
        options.certificateAuthorityDirectory = try certificates.hashedFolder()
        _ = try TLSPair(certificates.server).connect(options)
        #expect(try failure(certificates.unknownAuthority, options).kind == .verification)
    }

    @Test(
        "Missing or invalid files are configuration errors with their names"
    )
    func badFiles() throws {
        var options = TLSOptions()
        options.certificateAuthorityFile = "/nowhere/ca.pem"
        #expect(try failure(certificates.server, options).kind == .configuration)
        #expect(try failure(certificates.server, options).reason.contains("/nowhere/ca.pem"))
        #expect(try failure(certificates.server, options).reason.contains("No such file"))
        options.certificateAuthorityFile = certificates.server.key
        #expect(try failure(certificates.server, options).kind == .configuration)
        options.certificateAuthorityFile = nil
        options.certificateAuthorityDirectory = "/nowhere"
        #expect(try failure(certificates.server, options).reason.contains("/nowhere"))
        options.certificateAuthorityDirectory = nil
        options.clientCertificate = .init(certificateFile: "/nowhere/client.pem")
        #expect(try failure(certificates.server, options).reason.contains("/nowhere/client.pem"))
    }

    @Test(
        "Ciphers, suites, curves and ALPN names that OpenSSL doesn't know are configuration errors"
    )
    func badLists() throws {
        let changes: [(inout TLSOptions) -> Void] = [
            { $0.ciphers = "nonsense" }, { $0.cipherSuites = "nonsense" },
            { $0.curves = "nonsense" }, { $0.applicationProtocols = [""] },
            { $0.applicationProtocols = [String(repeating: "x", count: 256)] },
        ]
        for change in changes {
            var options = certificates.trusting
            change(&options)
            #expect(try failure(certificates.server, options).kind == .configuration)
        }
    }

    @Test("Both versions work, and a server below the minimum is refused")
    func versions() throws {
        var options = certificates.trusting
        #expect(
            try TLSPair(certificates.server).connect(options).client.session.version == "TLSv1.3"
        )
        let old = TLSPair(certificates.server, maximumVersion: .tls12)
        #expect(try old.connect(options).client.session.version == "TLSv1.2")
        options.minimumVersion = .tls13
        let error = #expect(throws: TransportError.self) { try old.connect(options) }
        guard case .tls(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        #expect(failure.kind == .handshake && failure.reason.contains("protocol version"))
        options.minimumVersion = .tls12
        options.maximumVersion = .tls12
        #expect(
            try TLSPair(certificates.server).connect(options).client.session.version == "TLSv1.2"
        )
    }

    @Test("The chosen cipher suite and TLS 1.2 cipher are used")
    func ciphers() throws {
        var options = certificates.trusting
        options.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256"
        options.curves = "P-256"
        let modern = try TLSPair(certificates.server).connect(options)
        #expect(modern.client.session.cipher == "TLS_CHACHA20_POLY1305_SHA256")
        options.maximumVersion = .tls12
        options.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
        let old = try TLSPair(certificates.server).connect(options)
        #expect(old.client.session.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384")
    }

    @Test("A pinned key is accepted wherever it is in the chain, and another is refused")
    func pinning() throws {
        let pins = try [certificates.server, certificates.authority].map {
            try #require(TLSOptions.PublicKeyPin(base64: try certificates.pin(of: $0)))
        }
        let other = try #require(
            TLSOptions.PublicKeyPin(base64: "sha256/" + certificates.pin(of: certificates.client))
        )
        for pin in pins {
            var options = certificates.trusting
            options.pinnedPublicKeys = [pin, other]
            _ = try TLSPair(certificates.server).connect(options)
        }
        var options = certificates.trusting
        options.pinnedPublicKeys = [other]
        #expect(try failure(certificates.server, options).kind == .pinMismatch)
        options.verification = .none
        #expect(try failure(certificates.server, options).kind == .pinMismatch)
        options.pinnedPublicKeys = [pins[0]]
        _ = try TLSPair(certificates.server).connect(options)
        // Nothing has verified that the authority signed the server's certificate.
        options.pinnedPublicKeys = [pins[1]]
        #expect(try failure(certificates.server, options).kind == .pinMismatch)
    }

    @Test("A pin doesn't replace verification")
    func pinOnExpired() throws {
        var options = certificates.trusting
        options.pinnedPublicKeys = [
            try #require(.init(base64: try certificates.pin(of: certificates.expired)))
        ]
        #expect(try failure(certificates.expired, options).verifyCode == 10)
    }

    @Test(
        "A string that isn't a SHA-256 hash isn't a pin",
        arguments: ["", "AAAA", "sha256/", "not base64!"]
    )
    func badPin(text: String) {
        #expect(TLSOptions.PublicKeyPin(base64: text) == nil)
    }

    @Test("The hook gets the context after all other options, and its verification counts")
    func hook() throws {
        var options = certificates.trusting
        let seen = NSCountedSet()
        nonisolated(unsafe) let calls = seen
        options.contextHook = TLSContextHook { context in calls.add("\(context)") }
        _ = try TLSPair(certificates.server).connect(options)
        _ = try TLSPair(certificates.server).connect(options)
        #expect(seen.count == 1)
    }

    @Test("The password of a key appears in no description")
    func hiddenPassword() throws {
        var options = TLSOptions()
        options.clientCertificate = .init(
            certificateFile: "a.pem",
            keyFile: nil,
            password: "s3cret"
        )
        var dumped = ""
        dump(options, to: &dumped)
        #expect(!dumped.contains("s3cret"))
        #expect(!"\(options)".contains("s3cret"))
        #expect("\(options)".contains("a.pem"))
    }

    @Test("A key log contains the session's secrets, and only its owner can read it")
    func keyLog() throws {
        let folder = try TemporaryFolder()
        var options = certificates.trusting
        options.keyLogFile = "\(folder.path)/keys"
        _ = try TLSPair(certificates.server).connect(options)
        let text = try String(contentsOfFile: "\(folder.path)/keys", encoding: .utf8)
        #expect(text.contains("CLIENT_TRAFFIC_SECRET_0 "))
        #expect(text.split(separator: "\n").allSatisfy { $0.split(separator: " ").count == 3 })
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/keys")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("A key log that can't be opened doesn't stop the connection")
    func unusableKeyLog() throws {
        var options = certificates.trusting
        options.keyLogFile = "/nowhere/keys"
        _ = try TLSPair(certificates.server).connect(options)
    }

    @Test("A session is resumed only with the same options and host")
    func resumption() throws {
        for version in [TLSOptions.Version.tls12, .tls13] {
            let listener = try Listener()
            let server = try TLSServer(
                certificateFile: certificates.server.certificate,
                keyFile: certificates.server.key,
                maximumVersion: version
            )
            func connect(_ options: TLSOptions, name: String = "localhost") throws -> Bool {
                let accepting = Background {
                    let stream = try server.accept(
                        over: try listener.accept(until: .ample),
                        until: .ample
                    )
                    try stream.writeAll([1])
                    _ = try? stream.readSome()
                }
                var plan = ConnectPlan(
                    target: .host("127.0.0.1", port: listener.port),
                    serverName: try Host(serverName: name)
                )
                plan.tls = options
                let client = try Connector.connect(plan, wakeUp: WakeUp())
                // Tickets of TLS 1.3 come with the first bytes.
                #expect(try client.readSome() == [1])
                client.finishWriting()
                _ = try? accepting.join()
                return try #require(client as? TLSStream).session.isResumed
            }
            var options = certificates.trusting
            #expect(try connect(options) == false)
            #expect(try connect(options) == true)
            #expect(try connect(options) == true)
            #expect(try connect(options, name: "127.0.0.1") == false)
            options.curves = "P-256"
            #expect(try connect(options) == false)
            options.resumesSessions = false
            #expect(try connect(options) == false)
            #expect(try connect(options) == false)
        }
    }

    @Test("Threads that first connect at the same time share one context and its sessions")
    func sharedContext() throws {
        var options = certificates.trusting
        for round in 0..<20 {
            // Options that nobody has used before.
            options.applicationProtocols = ["round-\(round)"]
            let threads = (0..<8).map { [options] _ in
                Background { try TLSContextCache.context(for: options) }
            }
            let contexts = try threads.map { ObjectIdentifier(try $0.join()) }
            #expect(Set(contexts).count == 1)
        }
    }

    @Test("A certificate file that was replaced is read again")
    func replacedFile() throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/ca.pem"
        var options = TLSOptions()
        options.certificateAuthorityFile = file
        try FileManager.default.copyItem(atPath: certificates.authority.certificate, toPath: file)
        _ = try TLSPair(certificates.server).connect(options)
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.copyItem(
            atPath: certificates.otherAuthority.certificate,
            toPath: file
        )
        #expect(try failure(certificates.server, options).kind == .verification)
        _ = try TLSPair(certificates.unknownAuthority).connect(options)
    }
}
