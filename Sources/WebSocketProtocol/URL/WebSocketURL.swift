/// A `ws` or `wss` URL, parsed and checked, RFC 6455 §3.
///
/// ```swift
/// let url = try WebSocketURL("wss://user:secret@[::1]:8443/chat?room=1")
/// print(url.host)       // ::1
/// print(url.hostHeader) // [::1]:8443
/// print(url.resource)   // /chat?room=1
/// print(url)            // wss://***@[::1]:8443/chat?room=1
/// ```
public struct WebSocketURL: Sendable, Hashable {
    /// Whether the scheme is `wss`.
    public let isSecure: Bool
    /// The host in lower case, an IPv6 address without its brackets and in the form of RFC 5952, its
    /// zone after a `%`.
    public var host: String { place.text }
    /// The host: a name or an address.
    package let place: Host
    /// The port; the scheme's default, 80 or 443, if the URL has none.
    public let port: UInt16
    /// The resource that is requested: the path, at least `/`, and the query.
    ///
    /// Characters beyond ASCII are percent-encoded as UTF-8, everything else is unchanged; the fragment
    /// is dropped.
    public let resource: String
    /// The user name and password before the host, percent-decoded.
    ///
    /// The handshake sends them as Basic authorization unless the caller sets that field.
    public let credentials: BasicCredentials?

    /// Parses a URL; the scheme may be in any case.
    ///
    /// - Throws: `InvalidURL` with the rule that the string breaks.
    public init(_ text: String) throws {
        try self.init(parsing: text)
    }

    package init(parsing text: String) throws(InvalidURL) {
        self = try URLReference(text).absoluteURL(schemes: [("ws", false), ("wss", true)])
    }

    init(authority: Authority, isSecure: Bool, resource: String) {
        self.isSecure = isSecure
        place = authority.host
        self.port = authority.port ?? Self.defaultPort(isSecure: isSecure)
        self.credentials = authority.credentials
        self.resource = resource
    }

    private init(_ url: WebSocketURL, resource: String, credentials: BasicCredentials?) {
        isSecure = url.isSecure
        place = url.place
        port = url.port
        self.resource = resource
        self.credentials = credentials
    }

    /// This URL with another path and query.
    func with(resource: String) -> WebSocketURL {
        WebSocketURL(self, resource: resource, credentials: credentials)
    }

    /// This URL with other credentials.
    func with(credentials: BasicCredentials?) -> WebSocketURL {
        WebSocketURL(self, resource: resource, credentials: credentials)
    }

    /// The path without the query.
    package var path: String {
        String(decoding: resource.utf8.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    }

    /// The value of the `Host` field: the port is left out only if it is the scheme's default, an
    /// IPv6 address stands in brackets and without its zone (RFC 6874 §4).
    public var hostHeader: String { withPort(place.hostField) }

    /// The default `Origin`, as in websocket-client: the server's own, `http://` for ws and `https://`
    /// for wss.
    public var origin: String { (isSecure ? "https://" : "http://") + hostHeader }

    /// Whether scheme, host and port are the same (RFC 6454 §5): only then are the credentials and
    /// cookies of one meant for the other.
    package func isSameOrigin(as other: WebSocketURL) -> Bool {
        isSecure == other.isSecure && place == other.place && port == other.port
    }

    static func defaultPort(isSecure: Bool) -> UInt16 { isSecure ? 443 : 80 }

    private func withPort(_ host: String) -> String {
        port == Self.defaultPort(isSecure: isSecure) ? host : "\(host):\(port)"
    }
}

extension WebSocketURL: CustomStringConvertible {
    /// The URL, with three asterisks in place of the user name and password.
    public var description: String {
        let credentials = credentials == nil ? "" : "***@"
        return "\(isSecure ? "wss" : "ws")://\(credentials)\(withPort(place.inURL))\(resource)"
    }
}
