/// Why bytes that should be the head of an HTTP message are none.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum MalformedHTTP: Error, Sendable, Hashable {
    /// The first bytes are not those of HTTP/1: the peer may expect TLS, or speak something else.
    case notHTTP
    /// The first line is malformed.
    case startLine
    /// The field line of that number, from 1, is malformed.
    case fieldLine(Int)
    /// The field line of that number goes on in the next line, which RFC 9112 §5.2 deprecates.
    case foldedLine(Int)
    /// A line ends in LF alone where CR LF is demanded.
    case bareLineFeed
    /// A line is longer than that many bytes.
    case lineTooLong(maximum: Int)
    /// The head is longer than that many bytes.
    case headTooLong(maximum: Int)
    /// There are more fields than that.
    case tooManyFields(maximum: Int)
    /// There are more interim (1xx) responses than that in front of the real one.
    case tooManyInterimResponses(maximum: Int)
    /// The stream ended inside the head, after that many bytes of it.
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

/// What an HTTP head or body may take, whatever the peer sends.
package struct HTTPLimits: Sendable, Hashable {
    /// All bytes of the head, interim responses included.
    ///
    /// Precedents: 16 KiB in Node.js, 64 KiB in Python's http.client, 300 KiB in curl.
    package var maximumHeadBytes = 64 << 10
    /// One line of the head.
    ///
    /// Precedents: 8 KiB in nginx and Python's websockets, 64 KiB in
    /// http.client; cookies and security policies do get longer than 8 KiB.
    package var maximumLineBytes = 16 << 10
    /// The number of fields.
    ///
    /// Precedents: 100 in Apache and http.client, 128 in Python's websockets.
    package var maximumFieldCount = 128
    /// What is kept of the body of a refusal: enough for a page that explains it.
    package var maximumBodyBytes = 64 << 10

    package init() {}
}
