/// Why a string isn't a valid WebSocket URL.
///
/// The string itself is not repeated, as it may contain a password.
public struct InvalidURL: Error, Sendable, Hashable {
    /// The rule that the string breaks.
    public enum Reason: Sendable, Hashable {
        /// The string doesn't begin with `ws://` or `wss://`.
        case missingScheme
        /// The scheme isn't ws or wss.
        case unsupportedScheme(String)
        /// The host is missing.
        case missingHost
        /// The host contains an invalid character or an empty label, has more than 255 bytes, or has
        /// something other than an IPv6 address in brackets.
        case invalidHost
        /// The host's last label is a number, but the host isn't an IPv4 address of four decimal numbers
        /// from 0 to 255, such as 127.0.0.1.
        case numericHost
        /// The host contains characters beyond ASCII; it must be written with `xn--` labels (RFC 5891).
        case internationalHost
        /// The port isn't a number from 1 to 65535.
        case invalidPort
        /// The user name or password is malformed: a second `@`, a backslash, a bracket, a blank, a bad
        /// percent-encoding, a control character, or a colon in the name.
        case invalidUserInfo
        /// The path or the query contains a blank or a control character.
        case invalidResource
    }

    /// The rule that the string breaks.
    public var reason: Reason

    /// Makes the error for a reason.
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
        case .invalidHost: "The URL's host is neither a name nor an IP address."
        case .numericHost:
            "The URL's host ends in a number; an IPv4 address must be four decimal numbers from 0 to "
                + "255, such as 127.0.0.1."
        case .internationalHost:
            "The URL's host has characters beyond ASCII; write it with xn-- labels, for example "
                + "xn--bcher-kva.example for b\u{FC}cher.example."
        case .invalidPort: "The URL's port must be a number from 1 to 65535."
        case .invalidUserInfo:
            "The URL's user name or password is malformed; percent-encode all but letters, digits and "
                + "-._~!$&'()*+,;= in it."
        case .invalidResource: "The URL's path or query contains a space or a control character."
        }
    }
}
