/// A failure of TLS, with OpenSSL's reason.
public struct TLSError: Error, Sendable, Hashable {
    /// The stage that failed, or the check that rejected the peer.
    package enum Kind: Sendable, Hashable {
        /// OpenSSL itself, or one of its algorithms, can't be used.
        case library
        /// A file, certificate, cipher list or other option can't be used.
        case configuration
        /// The handshake failed.
        case handshake
        /// The peer's certificate was not accepted.
        case verification
        /// The peer's public key is not one of the pinned ones.
        case pinMismatch
        /// The established connection broke a rule of TLS.
        case connection
    }

    package let kind: Kind
    /// OpenSSL's reason, or this package's.
    package let reason: String
    /// OpenSSL's packed error code; 0 without one.
    public let code: UInt
    /// OpenSSL's `X509_V_ERR_…` number if verification failed, otherwise 0.
    public let verifyCode: Int

    package init(_ kind: Kind, reason: String, code: UInt = 0, verifyCode: Int = 0) {
        self.kind = kind
        self.reason = reason
        self.code = code
        self.verifyCode = verifyCode
    }

    /// Whether the peer's certificate or public key was rejected.
    public var isVerificationFailure: Bool { kind == .verification || kind == .pinMismatch }
}

extension TLSError: CustomStringConvertible {
    /// One sentence that says what failed, with OpenSSL's reason.
    public var description: String {
        switch kind {
        case .library: "OpenSSL can't be used: \(reason)."
        case .configuration: "The TLS options can't be used: \(reason)."
        case .handshake: "The TLS handshake failed: \(reason)."
        case .verification: "The peer's certificate was not accepted: \(reason)."
        case .pinMismatch: "The peer's public key is not one of the pinned keys: \(reason)."
        case .connection: "The TLS connection failed: \(reason)."
        }
    }
}
