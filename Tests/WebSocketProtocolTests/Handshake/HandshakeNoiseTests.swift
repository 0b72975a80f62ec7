import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("Noise and damaged text are read or refused")
struct HandshakeNoiseTests {
    /// Changes, removes, doubles or adds a few bytes.
    static func damaged(_ text: String, _ random: inout SeededGenerator) -> [UInt8] {
        let interesting = Array("\r\n\0 \t:;,=\"\\/?#@[]%.&*xX019-\u{7F}é".utf8)
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let position = Int.random(in: 0...bytes.count, using: &random)
            let byte = interesting.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(byte, at: position)
            case 1 where position < bytes.count: bytes[position] = byte
            case 2 where position < bytes.count: bytes.remove(at: position)
            default: bytes += bytes[position...].prefix(20)
            }
        }
        return bytes
    }

    @Test("Responses", arguments: 0..<4)
    func responses(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let accepted = """
            HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r
            Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="10"\r\n\r\n
            """
        let refused = """
            HTTP/1.1 302 Found\r\nLocation: https://a.example/b?c\r\nTransfer-Encoding: chunked\r
            Set-Cookie: a=b; Domain=example.com; Max-Age=5; Path=/\r\n\r\n5\r\nHello\r\n0\r\n\r\n
            """
        var options = HandshakeRequest.Options()
        options.subprotocols = ["chat"]
        options.deflate = DeflateOptions()
        let url = try WebSocketURL("ws://www.example.com/x")
        let request = try HandshakeRequest(
            url: url,
            key: Array("the sample nonce".utf8),
            options: options
        )
        var outcomes: [String: Int] = [:]
        for _ in 0..<500 {
            let bytes = Self.damaged(
                [accepted, refused].randomElement(using: &random) ?? "",
                &random
            )
            let outcome = Self.outcome(of: bytes, request: request, url: url)
            // The result is the same in one piece and byte by byte.
            #expect(Self.outcome(of: bytes, pieces: 1, request: request, url: url) == outcome)
            outcomes[String(outcome.prefix(7)), default: 0] += 1
        }
        #expect(outcomes.count > 3)
    }

    static func outcome(
        of bytes: [UInt8],
        pieces: Int = .max,
        request: HandshakeRequest,
        url: WebSocketURL
    ) -> String {
        var decoder = HandshakeResponseDecoder()
        var cookies = CookieStore()
        do {
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(pieces))
                let taken = try decoder.receive(piece)
                guard taken <= piece.count else { return "took more than there was" }
                rest = rest.dropFirst(piece.count)
            }
            try decoder.finish()
            guard let response = decoder.response else { return "nothing" }
            cookies.store(response.headers, from: url, now: 0)
            let redirect = try RedirectPolicy().redirect(from: url, by: response, followed: 0)
            if let redirect { return "redirect to \(redirect)" }
            return "agreed on \(try request.negotiate(response))"
        } catch {
            return "\(error)"
        }
    }

    @Test("Requests")
    func requests() throws {
        var random = SeededGenerator(state: 5)
        var refusals = 0
        for _ in 0..<1000 {
            var decoder = HTTPHeadDecoder<RequestLine>()
            do {
                _ = try decoder.receive(Self.damaged(ReceivedHandshakeTests.request, &random))
                if let head = decoder.head { _ = try ReceivedHandshake(head) }
            } catch {
                refusals += 1
            }
        }
        #expect(refusals > 100)
    }

    @Test("URLs, extensions and cookies survive noise")
    func texts() throws {
        var random = SeededGenerator(state: 6)
        let url = try WebSocketURL("ws://[::1]/a")
        var store = CookieStore()
        for _ in 0..<2000 {
            func text(_ text: String) -> String {
                String(decoding: Self.damaged(text, &random), as: UTF8.self)
            }
            if let url = try? WebSocketURL(text("wss://us%65r:pw@[fe80::1%25e]:8443/a/../b?c#d")) {
                let isClean = (url.resource + url.hostHeader).utf8.allSatisfy {
                    $0 > 0x20 && $0 < 0x7F
                }
                #expect(isClean)
            }
            _ = try? url.resolved(text("//u:p@a.example:81/./b/../c?d#e"))
            for element in ExtensionElement.parse([text("a; b=\"c\"; d, permessage-deflate")]) ?? []
            {
                #expect(ExtensionElement.parse([element.text]) == [element])
            }
            store.store(
                text("a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Domain=[::1]; Path=/a"),
                from: url,
                now: 0
            )
        }
        #expect(store.cookieHeader(for: url, now: 0).map(HTTPField.isValidValue) != false)
    }
}
