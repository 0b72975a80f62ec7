/// Why the caller's options don't make a valid handshake; nothing has been sent.
///
/// Each case names the item; none carries its value, which may be secret.
package enum InvalidHandshakeRequest: Error, Sendable, Hashable {
    /// A field's name isn't a token (RFC 9110 §5.1); carries its longest valid beginning.
    case fieldName(String)
    /// The value of the field with this name contains a CR, LF, NUL or another control character.
    case fieldValue(name: String)
    /// The caller can't set this field, as the connection wouldn't honour it.
    case reservedField(String)
    /// The fields with this name contradict the handshake: only one is allowed, or the value doesn't
    /// open a WebSocket.
    case contradiction(String)
    /// The `Host` value contains characters that a host and port can't contain.
    case host
    /// The `Origin` value is empty or contains a control character.
    case origin
    /// The `Connection` value contains a control character.
    case connection
    /// The cookie contains a control character.
    case cookie
    /// The subprotocol at this position is empty, not a token, or listed twice (RFC 6455 §4.1).
    case subprotocol(index: Int)
    /// The user name or password can't be sent in the Basic scheme (RFC 7617 §2).
    case credentials
    /// The key isn't 16 bytes (RFC 6455 §4.1).
    case keyLength(Int)
    /// A compression option is out of its range; carries its name.
    case deflateOption(String)

    /// The part of a field's name that can be shown. If a whole line was given as the name, this ends
    /// at the colon, so that no value gets into an error.
    static func readable(_ name: String) -> String {
        String(decoding: name.utf8.prefix { $0.isTokenCharacter }.prefix(64), as: UTF8.self)
    }
}

extension InvalidHandshakeRequest: CustomStringConvertible {
    /// One sentence that names the item and the rule.
    package var description: String {
        switch self {
        case .fieldName(let name):
            "The header field name that begins with \"\(name)\" is not a token."
        case .fieldValue(let name):
            "The value of the header field \(name) contains a control character."
        case .reservedField(let name):
            "The header field \(name) can't be set by the caller."
        case .contradiction(let name):
            "The header field \(name) contradicts the handshake, or is given more than once."
        case .host: "The Host value is not a host and port."
        case .origin: "The Origin value is empty or contains a control character."
        case .connection: "The Connection value contains a control character."
        case .cookie: "The cookie contains a control character."
        case .subprotocol(let index):
            "The subprotocol at position \(index) is not a token, or is listed twice."
        case .credentials:
            "The user name contains a colon, or the user name or password contains a control character."
        case .keyLength(let count): "The key has \(count) bytes instead of 16."
        case .deflateOption(let name): "The compression option \(name) is out of its range."
        }
    }
}
