package import HTTPTypes

/// A client's opening handshake as a server reads it, RFC 6455 §4.2.1.
package struct ReceivedHandshake: Sendable {
    package let target: String
    package let fields: HTTPFields
    package let key: String
    /// The client's offers, the preferred one first.
    package let subprotocols: [String]
    /// The client's offers, the preferred one first.
    package let extensions: [ExtensionElement]

    /// Checks a request; throws a response that says what is wrong with it.
    package init(_ head: HTTPHead<RequestLine>) throws(HandshakeRejection) {
        let fields = head.fields
        guard head.startLine.method.hasSameBytes(as: "GET") else {
            throw HandshakeRejection(405, "Method Not Allowed", [.allow: "GET"])
        }
        guard head.startLine.minorVersion >= 1 else {
            throw HandshakeRejection(505, "HTTP Version Not Supported")
        }
        guard fields[values: .hostField].count == 1 else {
            throw .badRequest("exactly one Host field is required")
        }
        guard fields.listContains("websocket", in: .upgrade),
            fields.listContains("upgrade", in: .connection)
        else {
            throw HandshakeRejection(
                426,
                "Upgrade Required",
                [.upgrade: "websocket", .connection: "Upgrade"]
            )
        }
        // RFC 6455 §4.4: the answer names the version that the server supports.
        guard fields[.secWebSocketVersion]?.hasSameBytes(as: "13") == true else {
            throw HandshakeRejection(426, "Upgrade Required", [.secWebSocketVersion: "13"])
        }
        guard let key = fields[.secWebSocketKey], Base64.decode(key)?.count == 16
        else {
            throw .badRequest("the key is not 16 bytes in base64")
        }
        guard let extensions = ExtensionElement.parse(fields[values: .secWebSocketExtensions])
        else {
            throw .badRequest("the extensions are malformed")
        }
        self.target = head.startLine.target
        self.fields = fields
        self.key = key
        self.subprotocols = fields[values: .secWebSocketProtocol].flatMap(tokenList)
        self.extensions = extensions
    }

    /// The response that opens the connection, RFC 6455 §4.2.2.
    package func acceptance(
        subprotocol: String? = nil,
        deflate: DeflateAnswer? = nil,
        headers custom: HTTPFields = [:]
    ) -> HandshakeResponse {
        var fields: HTTPFields = [
            .upgrade: "websocket", .connection: "Upgrade",
            .secWebSocketAccept: AcceptKey.expected(for: key),
        ]
        fields[.secWebSocketProtocol] = subprotocol
        fields[.secWebSocketExtensions] = deflate?.element.text
        fields.append(contentsOf: custom)
        return HandshakeResponse(
            statusCode: 101,
            reasonPhrase: "Switching Protocols",
            headers: fields
        )
    }
}

/// A server's refusal of an opening handshake.
package struct HandshakeRejection: Error, Sendable, Hashable {
    package var response: HandshakeResponse

    package init(
        _ statusCode: Int,
        _ reasonPhrase: String,
        _ fields: HTTPFields = [:],
        body: String = ""
    ) {
        var fields = fields
        if !fields.contains(.connection) { fields[.connection] = "close" }
        fields[.contentLength] = "\(body.utf8.count)"
        response = HandshakeResponse(
            statusCode: statusCode,
            reasonPhrase: reasonPhrase,
            headers: fields,
            body: Array(body.utf8)
        )
    }

    package static func badRequest(_ reason: String) -> HandshakeRejection {
        HandshakeRejection(400, "Bad Request", [.contentType: "text/plain"], body: reason + "\n")
    }
}

extension HandshakeResponse {
    /// The bytes that a server sends.
    package func encode() -> [UInt8] {
        var output = Array("HTTP/1.1 \(statusCode) \(reasonPhrase)\r\n".utf8)
        headers.encode(into: &output)
        return output + body
    }
}
