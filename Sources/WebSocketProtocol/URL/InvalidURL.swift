/// Why a text is no WebSocket URL.
///
/// The text itself is not repeated: it may hold a password.
public struct InvalidURL: Error, Sendable, Hashable {
    /// The rule that the text breaks.
    public enum Reason: Sendable, Hashable {
        /// There is no `ws://` or `wss://` in front.
        case missingScheme
        /// The scheme is another one.
        case unsupportedScheme(String)
        /// There is no host.
        case missingHost
        /// The host has a character that no host has, is longer than 255 bytes, or its brackets
        /// hold no IPv6 address. Names beyond ASCII go in their `xn--` form.
        case invalidHost
        /// The port is no number from 1 to 65535.
        case invalidPort
        /// The user name or password is malformed: a bare `@`, a bad percent-encoding, a control
        /// character, or a colon in the name.
        case invalidUserInfo
        /// The path or the query has a blank or a control character.
        case invalidResource
    }

    /// The rule that the text breaks.
    public var reason: Reason

    /// Makes the error of its reason.
    public init(_ reason: Reason) { self.reason = reason }
}

extension InvalidURL: CustomStringConvertible {
    /// One sentence that names the rule.
    public var description: String {
        switch reason {
        case .missingScheme: "The URL doesn't begin with ws:// or wss://."
        case .unsupportedScheme(let scheme):
            "The URL's scheme is \(scheme); ws and wss are supported."
        case .missingHost: "The URL has no host."
        case .invalidHost: "The URL's host is neither a name in ASCII nor an IP address."
        case .invalidPort: "The URL's port is no number from 1 to 65535."
        case .invalidUserInfo: "The URL's user name or password is malformed."
        case .invalidResource: "The URL's path or query has a blank or a control character."
        }
    }
}
