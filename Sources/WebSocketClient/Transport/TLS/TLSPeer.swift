/// Whom a TLS connection is meant for.
final class TLSPeer: Sendable {
    /// The name or address that the certificate must be for; no trailing dot, no brackets.
    let name: String
    /// Whether `name` is an IP address: no SNI then, and IP entries of the certificate count.
    let isAddress: Bool
    /// Sessions are resumed between equal names at equal endpoints.
    let sessionKey: String

    init(name: String, endpoint: String) {
        var name = Substring(name)
        if name.hasSuffix(".") { name = name.dropLast() }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        // A certificate doesn't know by which interface its host is reached.
        let withoutZone = String(name.prefix { $0 != "%" })
        isAddress = SocketAddress.isNumeric(withoutZone)
        self.name = isAddress ? withoutZone : String(name)
        sessionKey = "\(self.name) at \(endpoint)"
    }
}
