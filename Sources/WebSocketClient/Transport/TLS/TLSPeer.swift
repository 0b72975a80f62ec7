import struct WebSocketProtocol.Host

/// Whom a TLS connection is meant for.
final class TLSPeer: Sendable {
    /// The name or address that the certificate must be for; empty for a server's peer.
    let name: String
    /// Whether `name` is an IP address: no SNI then, and IP entries of the certificate count.
    let isAddress: Bool
    /// Sessions are resumed between equal names at equal endpoints.
    let sessionKey: String

    init(name: Host, endpoint: String) {
        self.name = name.tlsName
        isAddress = name.isAddress
        sessionKey = "\(self.name) at \(endpoint)"
    }

    /// The client of a server, which has no name.
    init() {
        (name, isAddress, sessionKey) = ("", false, "")
    }
}
