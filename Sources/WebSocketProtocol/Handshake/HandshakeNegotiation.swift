import HTTPTypes

/// The result of a handshake.
package struct HandshakeResult: Sendable, Hashable {
    package var subprotocol: String?
    package var deflate: DeflateParameters?

    package init(subprotocol: String? = nil, deflate: DeflateParameters? = nil) {
        self.subprotocol = subprotocol
        self.deflate = deflate
    }
}

extension HandshakeRequest {
    /// Checks a server's answer step by step as RFC 6455 §4.1 lists them, and returns what was agreed.
    package func negotiate(
        _ response: HandshakeResponse
    ) throws(HandshakeFailure) -> HandshakeResult {
        let fields = response.headers
        // 1. "If the status code received from the server is not 101 …"
        guard response.statusCode == 101 else { throw .status(response.statusCode) }
        // 2. "… not an ASCII case-insensitive match for the value 'websocket'"
        let upgrade = fields[.upgrade]
        guard let upgrade, upgrade.equalsIgnoringCase("websocket") else { throw .upgrade(upgrade) }
        // 3. "… doesn't contain a token that is an ASCII case-insensitive match for … 'Upgrade'"
        guard fields.listContains("upgrade", in: .connection) else {
            throw .connection(fields[.connection])
        }
        // 4. Base64 is case-sensitive, and so is the comparison.
        guard let accept = fields[.secWebSocketAccept] else {
            throw .missingAccept
        }
        guard AcceptKey.matches(accept, AcceptKey.expected(for: key)) else {
            throw .wrongAccept
        }
        return HandshakeResult(
            subprotocol: try chosenSubprotocol(fields),
            deflate: try agreedParameters(fields)
        )
    }

    /// 6. "… indicates the use of a subprotocol that was not present in the client's handshake"
    private func chosenSubprotocol(_ fields: HTTPFields) throws(HandshakeFailure) -> String? {
        guard let chosen = fields[.secWebSocketProtocol] else {
            if requiresSubprotocol { throw .noSubprotocol }
            return nil
        }
        guard subprotocols.contains(where: { $0.hasSameBytes(as: chosen) }) else {
            throw .unofferedSubprotocol(chosen)
        }
        return chosen
    }

    /// 5. "… indicates the use of an extension that was not present in the client's handshake"
    private func agreedParameters(
        _ fields: HTTPFields
    ) throws(HandshakeFailure) -> DeflateParameters? {
        guard let chosen = ExtensionElement.parse(fields[values: .secWebSocketExtensions]) else {
            throw .malformedExtensions
        }
        guard let first = chosen.first else { return nil }
        guard let deflate, first.name.hasSameBytes(as: .permessageDeflate) else {
            throw .unofferedExtension(first.name)
        }
        if chosen.count > 1 { throw .unofferedExtension(chosen[1].name) }
        guard let parameters = deflate.parameters(answer: first) else {
            throw .unacceptableExtension(first.text)
        }
        return parameters
    }
}
