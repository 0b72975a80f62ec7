/// The proof that a server understood the handshake as WebSocket, RFC 6455 §1.3.
package enum AcceptKey {
    /// The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key`.
    package static func expected(for key: String) -> String {
        Base64.encode(SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Whether they are equal, in a time that doesn't depend on where they differ.
    static func matches(_ received: String, _ expected: String) -> Bool {
        guard received.utf8.count == expected.utf8.count else { return false }
        return zip(received.utf8, expected.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
