/// A proxy to reach the server through.
///
/// Every kind carries a tunnel of bytes, for `ws` as for `wss`.
public struct Proxy: Sendable, Hashable {
    /// The protocol that is spoken with the proxy.
    public enum Kind: Sendable, Hashable {
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

    /// A user and a password; neither is ever printed.
    public struct Credentials: Sendable, Hashable {
        /// The user's name.
        public var user: String

        /// The password.
        public var password: String

        /// Takes both as they are, not percent-encoded.
        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// The protocol that is spoken with the proxy.
    public var kind: Kind

    /// Name or address of the proxy; an IPv6 address without brackets.
    public var host: String

    /// TCP port of the proxy.
    public var port: UInt16

    /// Sent as HTTP Basic, SOCKS 5 user and password (RFC 1929), or SOCKS 4 user alone.
    public var credentials: Credentials?

    /// Header fields to add to CONNECT.
    public var headers: [Header] = []

    /// TLS to an `https` proxy; the connection through it has options of its own.
    public var tls = TLSOptions()

    /// Names a proxy; nothing is connected yet.
    public init(_ kind: Kind, host: String, port: UInt16, credentials: Credentials? = nil) {
        self.kind = kind
        self.host = host
        self.port = port
        self.credentials = credentials
    }

    /// One header field of a CONNECT request; its value is never printed.
    public struct Header: Sendable, Hashable {
        /// The field's name.
        public var name: String

        /// The field's value.
        public var value: String

        /// Takes both as they are; CR, LF and NUL are refused when connecting.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
}

extension Proxy {
    /// A proxy that speaks HTTP CONNECT.
    public static func http(
        host: String,
        port: UInt16,
        credentials: Credentials? = nil
    ) -> Proxy {
        Proxy(.http, host: host, port: port, credentials: credentials)
    }

    /// A proxy that speaks HTTP CONNECT over TLS.
    public static func https(
        host: String,
        port: UInt16,
        credentials: Credentials? = nil
    ) -> Proxy {
        Proxy(.https, host: host, port: port, credentials: credentials)
    }

    /// A proxy that speaks SOCKS 5; it resolves names itself unless told otherwise.
    public static func socks5(
        host: String,
        port: UInt16,
        credentials: Credentials? = nil,
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

extension Proxy.Credentials: CustomStringConvertible, CustomReflectable {
    /// Says that there are credentials, not which.
    public var description: String { "Credentials(hidden)" }

    /// Hides both from `dump` and string interpolation.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension Proxy.Header: CustomStringConvertible, CustomReflectable {
    /// The name, not the value.
    public var description: String { "\(name): (hidden)" }

    /// Hides the value from `dump` and string interpolation.
    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}
