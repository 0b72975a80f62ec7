import Foundation
import TestSupport
import Testing

@testable import WebSocketClient

/// Each test runs in a process of its own, as they change the environment.
@Suite("The system's certificate authorities", .blocking)
struct SystemAuthoritiesTests {
    @Test("A bundle that is changed while the program runs is read again")
    func changedBundle() async throws {
        await #expect(processExitsWith: .success) {
            let certificates = try Certificates.shared.get()
            let folder = try TemporaryFolder()
            let bundle = "\(folder.path)/bundle.pem"
            setenv("SSL_CERT_FILE", bundle, 1)
            setenv("SSL_CERT_DIR", folder.path + "/empty", 1)
            func trust(_ authority: Certificates.Identity) throws {
                try? FileManager.default.removeItem(atPath: bundle)
                try FileManager.default.copyItem(atPath: authority.certificate, toPath: bundle)
            }
            func isAccepted(_ identity: Certificates.Identity) -> Bool {
                (try? TLSPair(identity).connect(TLSOptions())) != nil
            }
            try trust(certificates.authority)
            try #require(isAccepted(certificates.server))
            try #require(!isAccepted(certificates.unknownAuthority))
            try trust(certificates.otherAuthority)
            try #require(!isAccepted(certificates.server))
            try #require(isAccepted(certificates.unknownAuthority))
        }
    }

    @Test("An authority removed from the directory is no longer trusted")
    func changedDirectory() async throws {
        await #expect(processExitsWith: .success) {
            let certificates = try Certificates.shared.get()
            let folder = try certificates.hashedFolder()
            setenv("SSL_CERT_FILE", "/nowhere", 1)
            setenv("SSL_CERT_DIR", folder, 1)
            _ = try TLSPair(certificates.server).connect(TLSOptions())
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                try FileManager.default.removeItem(atPath: "\(folder)/\(file)")
            }
            try #require((try? TLSPair(certificates.server).connect(TLSOptions())) == nil)
        }
    }

    @Test("Without any authority, the error says so and names the package to install")
    func missing() async throws {
        await #expect(processExitsWith: .success) {
            let certificates = try Certificates.shared.get()
            setenv("SSL_CERT_FILE", "/nowhere/cert.pem", 1)
            setenv("SSL_CERT_DIR", "/nowhere/certs", 1)
            do {
                _ = try TLSPair(certificates.server).connect(TLSOptions())
                throw SupportError("connected")
            } catch let error as TransportError {
                let text = error.description
                try #require(text.contains("no certificate authority is installed"))
                try #require(text.contains("/nowhere/cert.pem"))
                try #require(text.contains("ca-certificates"))
            }
        }
    }
}
