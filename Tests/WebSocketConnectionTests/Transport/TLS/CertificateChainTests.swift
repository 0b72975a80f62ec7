import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Certificate chains without measure", .blocking)
struct CertificateChainTests {
    /// Connects to a server whose certificate is `count` signatures away from a trusted authority.
    private func connect(chainOf count: Int) throws {
        let folder = try TemporaryFolder()
        let authority = "\(folder.path)/authority.pem"
        let identity = Certificates.Identity(
            certificate: "\(folder.path)/chain.pem",
            key: "\(folder.path)/key.pem"
        )
        try CertificateChain(count: count).write(to: identity, authority: authority)
        var options = TLSOptions()
        options.certificateAuthorityFile = authority
        _ = try TLSPair(identity).connect(options)
    }

    private func failure(chainOf count: Int) throws -> TLSError {
        let error = #expect(throws: TransportError.self) { try connect(chainOf: count) }
        guard case .tls(let failure) = error else {
            throw SupportError("got \(String(describing: error))")
        }
        return failure
    }

    @Test("A chain of 1,000 certificates is refused as a message, before it is parsed")
    func thousand() throws {
        let failure = try failure(chainOf: 1000)
        #expect(failure.kind == .handshake)
        #expect(failure.reason.contains("excessive message size"), "\(failure)")
    }

    @Test("A chain that fits a message but is longer than any real one isn't verified")
    func tooLong() throws {
        let failure = try failure(chainOf: 200)
        #expect(failure.kind == .verification)
        #expect(failure.reason.contains("certificate chain too long"), "\(failure)")
    }

    @Test("A chain of ten is followed to its authority")
    func ten() throws {
        try connect(chainOf: 10)
    }
}
