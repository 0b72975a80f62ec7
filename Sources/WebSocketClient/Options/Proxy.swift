public import HTTPTypes
public import WebSocketProtocol

/// A proxy to reach the server through.
///
/// Every kind tunnels bytes, for `ws` and `wss` alike.
public struct Proxy: Sendable, Hashable {
    /// The protocol that is spoken with the proxy.
    public enum Kind: String, Sendable, Hashable {
        /// HTTP CONNECT (RFC 9110 §9.3.6).
        case http
        /// HTTP CONNECT over TLS to the proxy.
        case https
        /// SOCKS 4: the client resolves the name, IPv4 only.
        case socks4
        /// SOCKS 4a: the proxy resolves the name.
        case socks4a
        /// SOCKS 5 (RFC 1928): the client resolves the name.
        case socks5
        /// SOCKS 5: the proxy resolves the name.
        case socks5h
    }

    /// The protocol that is spoken with the proxy.
    public var kind: Kind

    /// Name or address of the proxy; an IPv6 address with or without brackets.
    public var host: String

    /// TCP port of the proxy.
    public var port: UInt16

    /// Sent as HTTP Basic, as SOCKS 5 user and password (RFC 1929), or, without the password, as SOCKS 4 user.
    public var credentials: BasicCredentials?

    /// Header fields to add to CONNECT. `Host`, `Content-Length` and `Transfer-Encoding` are refused, and
    /// so is `Proxy-Authorization` beside ``credentials``.
    public var headers = HTTPFields()

    /// TLS options for an `https` proxy; the connection through it has its own.
    public var tls = TLSOptions()

    /// Names a proxy; nothing is connected yet.
    public init(_ kind: Kind, host: String, port: UInt16, credentials: BasicCredentials? = nil) {
        self.kind = kind
        self.host = host
        self.port = port
        self.credentials = credentials
    }

    /// Reads a URL such as `socks5h://user:password@proxy.example:1080`; `nil` if it isn't one.
    ///
    /// Without a scheme, it is an HTTP proxy. The default port is 80, for `https` 443, for SOCKS 1080.
    /// User and password are percent-decoded.
    public init?(url: String) {
        guard let proxy = try? Proxy(parsing: url) else { return nil }
        self = proxy
    }
}

extension Proxy {
    /// A proxy that speaks HTTP CONNECT.
    public static func http(
        host: String,
        port: UInt16,
        credentials: BasicCredentials? = nil
    ) -> Proxy {
        Proxy(.http, host: host, port: port, credentials: credentials)
    }

    /// A proxy that speaks HTTP CONNECT over TLS.
    public static func https(
        host: String,
        port: UInt16,
        credentials: BasicCredentials? = nil
    ) -> Proxy {
        Proxy(.https, host: host, port: port, credentials: credentials)
    }

    /// A proxy that speaks SOCKS 5; by default it resolves names itself.
    public static func socks5(
        host: String,
        port: UInt16,
        credentials: BasicCredentials? = nil,
        resolvesLocally: Bool = false
    ) -> Proxy {
        Proxy(
            resolvesLocally ? .socks5 : .socks5h,
            host: host,
            port: port,
            credentials: credentials
        )
    }
}

extension Proxy: CustomStringConvertible, CustomReflectable {
    /// Kind, host and port, without credentials.
    public var description: String {
        "\(kind.rawValue)://\((try? Host(host))?.inURL ?? host.escapingControls):\(port)"
    }

    /// Hides the credentials and the values of the header fields from `dump`.
    public var customMirror: Mirror {
        Mirror(self, children: ["kind": kind, "host": host, "port": port])
    }
}

extension Proxy {
    /// Reads a URL; the error says what is wrong with it, but repeats nothing from it.
    package init(parsing url: String) throws(ProxyError) {
        var rest = Array(url.utf8).filter { $0 != UInt8(ascii: " ") }[...]
        var kind = Kind.http
        let scheme = rest.prefix { $0 != UInt8(ascii: ":") }
        if rest[scheme.endIndex...].starts(with: "://".utf8) {
            let name = String(decoding: scheme, as: UTF8.self).lowercased()
            guard let known = Kind(rawValue: name == "socks" ? "socks5" : name) else {
                throw .invalidConfiguration("its scheme must be http, https or a SOCKS scheme")
            }
            kind = known
            rest = rest[scheme.endIndex...].dropFirst(3)
        }
        let authority: Authority
        do throws(InvalidURL) {
            authority = try Authority(Array(rest.prefix { $0 != UInt8(ascii: "/") }))
        } catch {
            throw .invalidConfiguration("its URL is malformed (\(error.reason))")
        }
        self.init(
            kind,
            host: authority.host.text,
            port: authority.port ?? kind.defaultPort,
            credentials: authority.credentials
        )
    }
}

extension Proxy.Kind {
    fileprivate var defaultPort: UInt16 {
        switch self {
        case .http: 80
        case .https: 443
        case .socks4, .socks4a, .socks5, .socks5h: 1080
        }
    }
}
