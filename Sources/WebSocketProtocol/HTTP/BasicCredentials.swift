/// A user name and a password for HTTP's Basic scheme, RFC 7617: a server's, from the URL, or a
/// proxy's.
///
/// Neither shows in `description`, in an error or in a reflection.
public struct BasicCredentials: Sendable, Hashable {
    /// The user name; it has no colon and no control characters, or the handshake refuses it.
    public var user: String
    /// The password; it has no control characters, or the handshake refuses it.
    public var password: String

    /// Makes credentials of a user name and a password, both as they are, not percent-encoded.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Whether RFC 7617 §2 can carry them: "The user-id and password MUST NOT contain any control
    /// characters", and a colon in the user name would move the password's beginning.
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
