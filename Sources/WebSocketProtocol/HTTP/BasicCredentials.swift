/// A user name and a password for HTTP's Basic scheme, RFC 7617: for a server, from the URL, or for a
/// proxy.
///
/// Neither is shown in `description`, in an error or by reflection.
public struct BasicCredentials: Sendable, Hashable {
    /// The user name. With a colon or a control character, the handshake refuses it.
    public var user: String
    /// The password. With a control character, the handshake refuses it.
    public var password: String

    /// Makes credentials from a user name and a password, neither of them percent-encoded.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Whether the Basic scheme allows them (RFC 7617 §2): "The user-id and password MUST NOT contain
    /// any control characters", and a colon in the user name would count as the separator.
    package var isValid: Bool {
        !user.utf8.contains { $0.isControl || $0 == UInt8(ascii: ":") }
            && !password.utf8.contains { $0.isControl }
    }

    /// The value of an Authorization or Proxy-Authorization field.
    package var fieldValue: String { "Basic " + Base64.encode(Array("\(user):\(password)".utf8)) }
}

extension BasicCredentials: CustomStringConvertible, CustomReflectable {
    /// Three asterisks.
    public var description: String { "***" }

    /// A mirror without children, so that `dump` shows no password either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
