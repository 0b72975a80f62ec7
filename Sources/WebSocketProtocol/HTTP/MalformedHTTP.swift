/// Why bytes aren't the head of an HTTP message.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum MalformedHTTP: Error, Sendable, Hashable {
    /// The first bytes are not those of HTTP/1: the peer may expect TLS, or speak something else.
    case notHTTP
    /// The first line is malformed.
    case startLine
    /// The field line with this number, from 1, is malformed.
    case fieldLine(Int)
    /// The field line with this number continues on the next line, which RFC 9112 §5.2 forbids in a
    /// request.
    case foldedLine(Int)
    /// A line ends in a lone LF where CR LF is required.
    case bareLineFeed
    /// A line is longer than this many bytes.
    case lineTooLong(maximum: Int)
    /// The head is longer than this many bytes.
    case headTooLong(maximum: Int)
    /// There are more than this many fields.
    case tooManyFields(maximum: Int)
    /// There are more than this many interim (1xx) responses before the final one.
    case tooManyInterimResponses(maximum: Int)
    /// The stream ended inside the head, after this many bytes.
    case incomplete(bytes: Int)
}

extension MalformedHTTP: CustomStringConvertible {
    /// One sentence that says what is wrong.
    public var description: String {
        switch self {
        case .notHTTP: "The peer's first bytes are not HTTP; it may expect TLS."
        case .startLine: "The first line is not HTTP/1."
        case .fieldLine(let number): "Header line \(number) is malformed."
        case .foldedLine(let number): "Header line \(number) is folded, which is obsolete."
        case .bareLineFeed: "A header line ends without a carriage return."
        case .lineTooLong(let maximum): "A header line is longer than \(maximum) bytes."
        case .headTooLong(let maximum): "The header is longer than \(maximum) bytes."
        case .tooManyFields(let maximum): "There are more than \(maximum) header fields."
        case .tooManyInterimResponses(let maximum):
            "There are more than \(maximum) interim responses."
        case .incomplete(let bytes): "The peer closed the connection after \(bytes) header bytes."
        }
    }
}
