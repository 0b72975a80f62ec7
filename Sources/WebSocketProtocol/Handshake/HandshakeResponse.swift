public import HTTPTypes

/// What a server answered to the opening handshake.
public struct HandshakeResponse: Sendable, Hashable {
    /// The status; 101 is the one that opens a connection.
    public var statusCode: Int
    /// The words after the status, for people; may be empty.
    public var reasonPhrase: String
    /// The header fields in their order.
    public var headers: HTTPFields
    /// The body of a refusal, as far as it arrived and the limit allowed; chunks are joined.
    public var body: [UInt8]
    /// Whether all of the body is there.
    public var isBodyComplete: Bool

    /// Makes a response of its parts.
    public init(
        statusCode: Int,
        reasonPhrase: String = "",
        headers: HTTPFields = [:],
        body: [UInt8] = [],
        isBodyComplete: Bool = true
    ) {
        self.statusCode = statusCode
        self.reasonPhrase = reasonPhrase
        self.headers = headers
        self.body = body
        self.isBodyComplete = isBodyComplete
    }
}

extension HandshakeResponse: CustomStringConvertible {
    /// The status and its words, such as `403 Forbidden`.
    public var description: String {
        reasonPhrase.isEmpty ? "\(statusCode)" : "\(statusCode) \(reasonPhrase.legible)"
    }
}

extension HandshakeResponse {
    /// The name that ``headers`` had.
    @available(*, unavailable, renamed: "headers")
    public var fields: HTTPFields { headers }

    /// The initializer whose `headers:` was called `fields:`.
    @available(
        *,
        unavailable,
        renamed: "init(statusCode:reasonPhrase:headers:body:isBodyComplete:)"
    )
    public init(
        statusCode: Int,
        reasonPhrase: String = "",
        fields: HTTPFields,
        body: [UInt8] = [],
        isBodyComplete: Bool = true
    ) {
        self.init(statusCode: statusCode)
    }
}
