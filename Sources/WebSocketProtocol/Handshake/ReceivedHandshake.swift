/// A client's opening handshake as a server reads it, RFC 6455 §4.2.1.
package struct ReceivedHandshake: Sendable {
    package let target: String
    package let fields: HTTPFields
    package let key: String
    /// What the client offers, the most wanted first.
    package let subprotocols: [String]
    /// What the client offers, the most wanted first.
    package let extensions: [ExtensionElement]

    /// Checks a request; throws the response that says what is wrong with it.
    package init(_ head: HTTPHead<RequestLine>) throws(HandshakeRejection) {
        let fields = head.fields
        guard head.startLine.method == "GET" else {
            throw HandshakeRejection(405, "Method Not Allowed", ["Allow": "GET"])
        }
        guard head.startLine.minorVersion >= 1 else {
            throw HandshakeRejection(505, "HTTP Version Not Supported")
        }
        guard fields.values(of: "Host").count == 1 else {
            throw .badRequest("one Host field is needed")
        }
        guard fields.listContains("websocket", in: "Upgrade"),
            fields.listContains("upgrade", in: "Connection")
        else {
            throw HandshakeRejection(
                426,
                "Upgrade Required",
                ["Upgrade": "websocket", "Connection": "Upgrade"]
            )
        }
        // RFC 6455 §4.4: the answer names the version that the server speaks.
        guard fields.joinedValue(of: .secWebSocketVersion) == "13" else {
            throw HandshakeRejection(426, "Upgrade Required", [.secWebSocketVersion: "13"])
        }
        guard let key = fields.joinedValue(of: .secWebSocketKey), Base64.decode(key)?.count == 16
        else {
            throw .badRequest("the key is not 16 bytes in base64")
        }
        guard let extensions = ExtensionElement.parse(fields.values(of: .secWebSocketExtensions))
        else {
            throw .badRequest("the extensions are malformed")
        }
        self.target = head.startLine.target
        self.fields = fields
        self.key = key
        self.subprotocols = fields.values(of: .secWebSocketProtocol).flatMap(tokenList)
        self.extensions = extensions
    }

    /// The response that opens the connection, RFC 6455 §4.2.2.
    package func acceptance(
        subprotocol: String? = nil,
        deflate: DeflateAnswer? = nil,
        fields custom: HTTPFields = [:],
        digest: AcceptKey.Digest
    ) -> HandshakeResponse {
        var fields: HTTPFields = [
            "Upgrade": "websocket", "Connection": "Upgrade",
            .secWebSocketAccept: AcceptKey.expected(for: key, digest: digest),
        ]
        fields[.secWebSocketProtocol] = subprotocol
        fields[.secWebSocketExtensions] = deflate?.element.text
        for field in custom { fields.append(name: field.name, value: field.value) }
        return HandshakeResponse(
            statusCode: 101,
            reasonPhrase: "Switching Protocols",
            fields: fields
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
        if !fields.contains("Connection") { fields["Connection"] = "close" }
        fields["Content-Length"] = "\(body.utf8.count)"
        response = HandshakeResponse(
            statusCode: statusCode,
            reasonPhrase: reasonPhrase,
            fields: fields,
            body: Array(body.utf8)
        )
    }

    package static func badRequest(_ reason: String) -> HandshakeRejection {
        HandshakeRejection(400, "Bad Request", ["Content-Type": "text/plain"], body: reason + "\n")
    }
}

extension HandshakeResponse {
    /// The bytes that a server sends.
    package func encode() -> [UInt8] {
        var output = Array("HTTP/1.1 \(statusCode) \(reasonPhrase)\r\n".utf8)
        fields.encode(into: &output)
        return output + body
    }
}
