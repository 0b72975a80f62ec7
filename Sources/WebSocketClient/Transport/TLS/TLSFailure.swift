/// What went wrong in TLS, with OpenSSL's own words.
package struct TLSFailure: Error, Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// A file, certificate, cipher list or other option can't be used.
        case configuration
        /// The handshake failed.
        case handshake
        /// The peer's certificate was not accepted.
        case verification
        /// The peer's public key is none of the pinned ones.
        case pinMismatch
        /// The established connection broke a rule of TLS.
        case connection
    }

    package let kind: Kind
    /// OpenSSL's reason, or this package's sentence.
    package let reason: String
    /// OpenSSL's packed error code, 0 if there is none.
    package let code: UInt
    /// X509_V_ERR_… of a failed verification, else 0.
    package let verifyCode: Int

    package init(_ kind: Kind, reason: String, code: UInt = 0, verifyCode: Int = 0) {
        self.kind = kind
        self.reason = reason
        self.code = code
        self.verifyCode = verifyCode
    }
}

extension TLSFailure: CustomStringConvertible {
    package var description: String {
        switch kind {
        case .configuration: "The TLS options can't be used: \(reason)."
        case .handshake: "The TLS handshake failed: \(reason)."
        case .verification: "The peer's certificate was not accepted: \(reason)."
        case .pinMismatch: "The peer's public key is not one of the pinned keys: \(reason)."
        case .connection: "The TLS connection failed: \(reason)."
        }
    }
}
