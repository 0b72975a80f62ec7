public import HTTPTypes

/// A server's answer to the opening handshake.
public struct HandshakeResponse: Sendable, Hashable {
    /// The status; 101 opens a connection.
    public var statusCode: Int
    /// The text after the status, for people; may be empty.
    public var reasonPhrase: String
    /// The header fields in their order.
    public var headers: HTTPFields
    /// The body of a refusal, as much as arrived and the limit allowed; chunks are joined.
    public var body: [UInt8]
    /// Whether the body is complete.
    public var isBodyComplete: Bool

    /// Makes a response from its parts.
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

extension HandshakeResponse {
    /// The beginning of the body, quoted and escaped, if it is text and not blank.
    package var excerpt: String? {
        let type = headers[.contentType]?.asciiLowercased ?? "text/plain"
        guard Self.textTypes.contains(where: { type.utf8.starts(with: $0.utf8) }) else {
            return nil
        }
        let beginning = body.prefix(Self.excerptBytes)
        // A character split by the cut is left out.
        let text = (0..<4).lazy.filter { $0 <= beginning.count }
            .compactMap { String(validating: beginning.dropLast($0), as: UTF8.self) }.first
        guard let text, !text.utf8.allSatisfy({ $0 <= 0x20 }) else { return nil }
        return text.quoted + (body.count > Self.excerptBytes || !isBodyComplete ? "…" : "")
    }

    private static let excerptBytes = 200

    private static let textTypes = [
        "text/", "application/json", "application/problem+", "application/xml",
    ]
}

extension HandshakeResponse: CustomStringConvertible {
    /// The status and its words, such as `403 Forbidden`.
    public var description: String {
        reasonPhrase.isEmpty ? "\(statusCode)" : "\(statusCode) \(reasonPhrase.escapingControls)"
    }
}

extension HandshakeResponse {
    /// The former name of ``headers``.
    @available(*, unavailable, renamed: "headers")
    public var fields: HTTPFields { headers }

    /// The former initializer, with `fields:` in place of `headers:`.
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
