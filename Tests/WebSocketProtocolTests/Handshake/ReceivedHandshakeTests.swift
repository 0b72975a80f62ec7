import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("The opening handshake as a server reads it, RFC 6455 §4.2")
struct ReceivedHandshakeTests {
    static let request = """
        GET /chat HTTP/1.1\r
        Host: server.example\r
        Upgrade: websocket\r
        Connection: keep-alive, Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Origin: http://example.com\r
        Sec-WebSocket-Protocol: chat, superchat\r
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r
        Sec-WebSocket-Version: 13\r
        \r

        """

    static func receive(_ text: String) throws -> ReceivedHandshake {
        let (decoder, _) = try HTTPHeadDecoderTests.decode(text, as: RequestLine.self, pieces: 10)
        return try ReceivedHandshake(try #require(decoder.head))
    }

    @Test("The RFC's example is understood and accepted")
    func example() throws {
        let handshake = try Self.receive(Self.request)
        #expect(handshake.target == "/chat")
        #expect(handshake.subprotocols == ["chat", "superchat"])
        #expect(handshake.extensions.map(\.name) == ["permessage-deflate"])
        let response = handshake.acceptance(
            subprotocol: "chat",
            headers: ["X": "y"]
        )
        #expect(
            String(decoding: response.encode(), as: UTF8.self) == """
                HTTP/1.1 101 Switching Protocols\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
                Sec-WebSocket-Protocol: chat\r
                X: y\r
                \r

                """
        )
    }

    @Test(
        "Invalid requests are answered with the right status",
        arguments: [
            ("GET", "POST", 405), ("HTTP/1.1", "HTTP/1.0", 505),
            ("Host: server.example\r\n", "", 400),
            ("Host: server.example\r\n", "Host: a\r\nHost: b\r\n", 400),
            ("Upgrade: websocket", "Upgrade: h2c", 426), ("keep-alive, Upgrade", "close", 426),
            ("Version: 13", "Version: 8", 426), ("Version: 13", "Version: 13, 8", 426),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("permessage-deflate;", "permessage-deflate;;", 400),
        ]
    )
    func refusals(original: String, replacement: String, status: Int) throws {
        let parts = Self.request.split(separator: original, maxSplits: 1)
        let text = parts.count == 2 ? parts.joined(separator: replacement) : replacement + parts[0]
        let rejection = #expect(throws: HandshakeRejection.self) { try Self.receive(text) }
        let response = try #require(rejection?.response)
        #expect(response.statusCode == status)
        #expect(response.headers["Content-Length"] == "\(response.body.count)")
        if replacement.contains("Version") {
            #expect(response.headers["Sec-WebSocket-Version"] == "13")
        }
    }

    @Test("Client and server understand each other", arguments: [1, 17, 10_000])
    func pair(pieces: Int) throws {
        var options = HandshakeRequest.Options()
        options.subprotocols = ["chat", "superchat"]
        options.deflate = DeflateOptions()
        options.fields = ["X-Long": String(repeating: "x", count: 5000)]
        let request = try HandshakeRequest(
            url: WebSocketURL("ws://a/b?c"),
            key: Array("the sample nonce".utf8),
            options: options
        )
        let (decoder, _) = try HTTPHeadDecoderTests.decode(
            String(decoding: request.encode(), as: UTF8.self),
            as: RequestLine.self,
            pieces: pieces
        )
        let handshake = try ReceivedHandshake(try #require(decoder.head))
        #expect(handshake.fields["X-Long"]?.utf8.count == 5000)
        var wishes = DeflateOffer()
        wishes.clientMaxWindowBits = 10
        wishes.serverNoContextTakeover = true
        let answer = try #require(wishes.accept(handshake.extensions))
        let response = handshake.acceptance(
            subprotocol: handshake.subprotocols[1],
            deflate: answer
        )
        let (reader, _) = try HandshakeResponseDecoderTests.decode(
            String(decoding: response.encode(), as: UTF8.self),
            pieces: pieces
        )
        let received = try #require(reader.response)
        let negotiated = try request.negotiate(received)
        #expect(negotiated == HandshakeResult(subprotocol: "superchat", deflate: answer.parameters))
        #expect(negotiated.deflate?.clientMaxWindowBits == 10)
    }
}
