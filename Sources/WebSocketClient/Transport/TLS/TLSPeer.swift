import struct WebSocketProtocol.Host

/// The peer that a TLS connection is meant for.
final class TLSPeer: Sendable {
    /// The name or address that the certificate must be for; empty for a server's peer.
    let name: String
    /// Whether `name` is an IP address: then no SNI is sent, and the certificate's IP entries are
    /// compared.
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
