public import HTTPTypes
import WebSocketProtocol

/// Additional header fields of a handshake, in any of several forms.
///
/// ```swift
/// let app = WebSocketApp(url: "wss://example.com/feed", header: ["X-Trace": "1", "X-Other": "2"])
/// app.headers = ["X-Trace: 1", "X-Other: 2"]
/// app.headers = RequestHeaders([.authorization: "Bearer \(token)"])
/// app.headers = RequestHeaders(perAttempt: { [.authorization: "Bearer \(token)"] })
/// ```
///
/// Names and values given as text are checked when a connection is opened, before a byte is sent: a
/// name that is not a token, or a value with a line break or another control character, makes the
/// attempt fail with ``WebSocketError/invalidArgument(_:)`` (RFC 9110 §5.1, §5.5).
public struct RequestHeaders: Sendable, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    private let make: @Sendable () throws -> HTTPFields

    /// The same fields for every attempt.
    ///
    /// - Parameter headers: The fields.
    public init(_ headers: HTTPFields) { make = { headers } }

    /// The same fields for every attempt, as lines such as `"X-Trace: 1"`.
    ///
    /// - Parameter lines: One field each, a name and a value with a colon between them.
    public init(lines: [String]) { make = { try HTTPFields(lines: lines) } }

    /// Fields that a function makes before each attempt, such as a fresh token.
    ///
    /// - Parameter make: The function. It runs on the connecting thread; an error that it throws makes
    ///   the attempt fail.
    public init(perAttempt make: @escaping @Sendable () throws -> HTTPFields) {
        self.make = make
    }

    /// The same fields for every attempt, as names and values.
    ///
    /// - Parameter elements: Names and values; a name may occur more than once.
    public init(dictionaryLiteral elements: (String, String)...) {
        make = { try HTTPFields(pairs: elements) }
    }

    /// The same fields for every attempt, as lines such as `"X-Trace: 1"`.
    ///
    /// - Parameter lines: One field each.
    public init(arrayLiteral lines: String...) { self.init(lines: lines) }

    /// The fields of the next attempt.
    func fields() throws -> HTTPFields { try make() }
}

extension HTTPFields {
    /// Makes header fields from text, in the given order; a name may occur more than once.
    ///
    /// ```swift
    /// var options = ConnectOptions()
    /// options.headers = try HTTPFields(["X-Trace": "1", "Authorization": "Bearer \(token)"])
    /// ```
    ///
    /// `HTTPField` itself turns a line break or NUL in a value into a space; this refuses it.
    ///
    /// - Parameter pairs: Names and values.
    /// - Throws: ``WebSocketError/invalidArgument(_:)`` for a name that is not a token or a value with
    ///   a control character other than the tab (RFC 9110 §5.1, §5.5).
    public init(_ pairs: KeyValuePairs<String, String>) throws {
        try self.init(pairs: pairs.map { ($0.key, $0.value) })
    }

    /// Makes header fields from a sequence of names and values; otherwise like `init(_:)`.
    ///
    /// - Parameter pairs: Names and values; at most 65,534.
    /// - Throws: As `init(_:)`.
    public init(pairs: some Sequence<(String, String)>) throws {
        self = try Self.checked { () throws(InvalidHandshakeRequest) in
            try HTTPFields(checking: pairs)
        }
    }

    /// Makes header fields from lines such as `"X-Trace: 1"`, the form that websocket-client takes;
    /// otherwise like `init(_:)`.
    ///
    /// - Parameter lines: One field each, a name and a value with a colon between them; at most 65,534.
    /// - Throws: As `init(_:)`; also for a line without a colon.
    public init(lines: [String]) throws {
        self = try Self.checked { () throws(InvalidHandshakeRequest) in
            try HTTPFields(checking: lines)
        }
    }

    private static func checked(
        _ body: () throws(InvalidHandshakeRequest) -> HTTPFields
    ) throws(WebSocketError) -> HTTPFields {
        do throws(InvalidHandshakeRequest) {
            return try body()
        } catch {
            throw .invalidArgument(error.description)
        }
    }
}
