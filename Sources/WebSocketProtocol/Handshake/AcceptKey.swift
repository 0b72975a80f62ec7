/// The proof that a server read the handshake as WebSocket, RFC 6455 §1.3.
package enum AcceptKey {
    /// SHA-1.
    package typealias Digest = ([UInt8]) -> [UInt8]

    /// The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key`.
    package static func expected(for key: String, digest: Digest) -> String {
        Base64.encode(digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Whether they are equal, in a time that tells nothing about where they differ.
    ///
    /// A digest that isn't SHA-1's 20 bytes proves nothing: then nothing matches, an empty value least of
    /// all.
    static func matches(_ received: String, _ expected: String) -> Bool {
        guard Base64.decode(expected)?.count == 20, received.utf8.count == expected.utf8.count
        else {
            return false
        }
        return zip(received.utf8, expected.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
