/// A whole message, text or binary (RFC 6455 §5.6).
public enum Message: Sendable, Hashable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary([UInt8])

    /// The payload: the bytes of a binary message, the UTF-8 of a text message.
    public var bytes: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .binary(let bytes): bytes
        }
    }

    /// The text of a text message; `nil` for a binary one.
    public var string: String? {
        switch self {
        case .text(let text): text
        case .binary: nil
        }
    }
}

extension Message: CustomStringConvertible {
    /// The content: a text as it is, bytes as an array prints.
    public var description: String {
        switch self {
        case .text(let text): text
        case .binary(let bytes): "\(bytes)"
        }
    }
}
