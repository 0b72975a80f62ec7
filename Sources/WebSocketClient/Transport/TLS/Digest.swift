import CWebSocketOpenSSL

/// SHA-1, which the opening handshake asks for (RFC 6455 §4.2.2); not for security.
package enum SHA1 {
    /// The 20 bytes of the digest; empty if the library refuses the algorithm.
    package static func digest(_ bytes: [UInt8]) -> [UInt8] {
        Digest.digest(bytes, EVP_sha1())
    }
}

/// SHA-256, by which public keys are pinned.
enum SHA256 {
    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        Digest.digest(bytes, EVP_sha256())
    }
}

private enum Digest {
    static func digest(_ bytes: [UInt8], _ algorithm: OpaquePointer?) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { digest, count in
            var length: UInt32 = 0
            let isDone =
                EVP_Digest(bytes, bytes.count, digest.baseAddress, &length, algorithm, nil) == 1
            count = isDone ? Int(length) : 0
        }
    }
}
