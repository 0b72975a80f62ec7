import Foundation
package import WebSocketClient

/// Certificates made on the spot: an authority, and certificates of good and bad servers.
package final class Certificates: Sendable {
    /// One set for all tests of a process.
    package static let shared = Result { try Certificates() }

    /// A certificate and its key as PEM files.
    package struct Identity: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package static let password = "correct horse"

    private let folder: TemporaryFolder
    package let authority: Identity
    /// An authority that nobody knows.
    package let otherAuthority: Identity
    /// Valid for localhost, *.example.test, 127.0.0.1 and ::1.
    package let server: Identity
    package let expired: Identity
    /// Valid only for other.example.
    package let wrongHost: Identity
    package let selfSigned: Identity
    /// Of an authority that nobody knows.
    package let unknownAuthority: Identity
    package let client: Identity
    /// The client's key, encrypted with `password`.
    package let encryptedClientKey: String

    private init() throws {
        folder = try TemporaryFolder()
        let path = folder.path
        let hosts = "DNS:localhost,DNS:*.example.test,IP:127.0.0.1,IP:::1"

        func identity(_ name: String, _ arguments: [String]) throws -> Identity {
            let identity = Identity(certificate: "\(path)/\(name).pem", key: "\(path)/\(name).key")
            try runProgram(
                "openssl",
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
                    + ["-nodes", "-days", "30", "-subj", "/CN=\(name)"]
                    + ["-keyout", identity.key, "-out", identity.certificate] + arguments
            )
            return identity
        }
        func makeAuthority(_ name: String) throws -> Identity {
            try identity(
                name,
                ["-addext", "basicConstraints=critical,CA:true"]
                    + ["-addext", "keyUsage=critical,keyCertSign"]
            )
        }
        func issue(_ name: String, by issuer: Identity, for hosts: String?) throws -> Identity {
            try identity(
                name,
                ["-addext", "basicConstraints=critical,CA:false"]
                    + ["-CA", issuer.certificate, "-CAkey", issuer.key]
                    + (hosts.map { ["-addext", "subjectAltName=\($0)"] } ?? [])
            )
        }

        authority = try makeAuthority("authority")
        otherAuthority = try makeAuthority("other-authority")
        server = try issue("server", by: authority, for: hosts)
        wrongHost = try issue("wrong-host", by: authority, for: "DNS:other.example,IP:192.0.2.1")
        unknownAuthority = try issue("unknown", by: otherAuthority, for: hosts)
        client = try issue("client", by: authority, for: nil)
        selfSigned = try identity("self-signed", ["-addext", "subjectAltName=\(hosts)"])

        expired = Identity(certificate: "\(path)/expired.pem", key: server.key)
        let extensions = try folder.write("subjectAltName=\(hosts)\n", to: "extensions")
        try runProgram(
            "openssl",
            ["req", "-new", "-key", server.key, "-subj", "/CN=expired", "-out", "\(path)/request"]
        )
        try runProgram(
            "openssl",
            ["x509", "-req", "-in", "\(path)/request", "-days", "-1", "-extfile", extensions]
                + ["-CA", authority.certificate, "-CAkey", authority.key]
                + ["-out", expired.certificate]
        )

        encryptedClientKey = "\(path)/client-encrypted.key"
        try runProgram(
            "openssl",
            ["pkey", "-in", client.key, "-aes256", "-passout", "pass:\(Certificates.password)"]
                + ["-out", encryptedClientKey]
        )
        atexit { try? Certificates.shared.get().removeFiles() }
    }

    /// The base64 of the SHA-256 of a certificate's public key, as the openssl command makes it.
    package func pin(of identity: Identity) throws -> String {
        let name = "\(folder.path)/\(UInt64.random(in: 0...UInt64.max))"
        try runProgram(
            "openssl",
            ["x509", "-in", identity.certificate, "-pubkey", "-noout", "-out", "\(name).pub"]
        )
        try runProgram(
            "openssl",
            ["pkey", "-pubin", "-in", "\(name).pub", "-outform", "der", "-out", "\(name).der"]
        )
        try runProgram(
            "openssl",
            ["dgst", "-sha256", "-binary", "-out", "\(name).hash", "\(name).der"]
        )
        return try runProgram("base64", ["\(name).hash"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A certificate signed by the authority, with the subject `name`, valid for `hosts`.
    package func identity(named name: String, for hosts: String?) throws -> Identity {
        let identity = Identity(
            certificate: "\(folder.path)/\(name).pem",
            key: "\(folder.path)/\(name).key"
        )
        try runProgram(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
                + ["-nodes", "-days", "30", "-subj", "/CN=\(name)"]
                + ["-keyout", identity.key, "-out", identity.certificate]
                + ["-addext", "basicConstraints=critical,CA:false"]
                + ["-CA", authority.certificate, "-CAkey", authority.key]
                + (hosts.map { ["-addext", "subjectAltName=\($0)"] } ?? [])
        )
        return identity
    }

    /// A folder with the authority as `openssl rehash` lays it out.
    package func hashedFolder() throws -> String {
        let hashed = "\(folder.path)/hashed-\(UInt64.random(in: 0...UInt64.max))"
        try runProgram("mkdir", [hashed])
        try runProgram("cp", [authority.certificate, hashed])
        try runProgram("openssl", ["rehash", hashed])
        return hashed
    }

    private func removeFiles() {
        _ = try? runProgram("rm", ["-r", folder.path])
    }
}

extension Certificates {
    /// The defaults, with this authority in place of the system's.
    package var trusting: TLSOptions {
        var options = TLSOptions()
        options.certificateAuthorityFile = authority.certificate
        return options
    }
}
