import CWebSocketOpenSSL

/// SHA-256, for pinning public keys.
enum SHA256 {
    /// The 32 bytes of the digest; throws if OpenSSL refuses the algorithm, as a system policy may
    /// demand.
    static func digest(_ bytes: [UInt8]) throws(TransportError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard OpenSSL.isReady,
            EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil) == 1
        else {
            let error = OpenSSLError.take()
            throw .tls(
                TLSError(.library, reason: "SHA-256: \(error.text)", code: error.code)
            )
        }
        return Array(digest[..<Int(length)])
    }
}
