import HTTPTypes
import TestSupport
import Testing
import WebSocketProtocol

@Suite("The answer to the opening handshake, RFC 6455 §4.1")
struct HandshakeNegotiationTests {
    static let accept: HTTPFields = [
        "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]

    static func negotiate(
        subprotocols: [String] = [],
        requiresSubprotocol: Bool = false,
        deflate: DeflateOptions? = nil,
        status: Int = 101,
        _ change: (inout HTTPFields) -> Void = { _ in }
    ) throws -> HandshakeResult {
        var options = HandshakeRequest.Options()
        options.subprotocols = subprotocols
        options.requiresSubprotocol = requiresSubprotocol
        options.deflate = deflate
        let request = try HandshakeRequest(
            url: WebSocketURL("ws://server.example/chat"),
            key: Array("the sample nonce".utf8),
            options: options
        )
        #expect(request.key == "dGhlIHNhbXBsZSBub25jZQ==")
        var fields = accept
        change(&fields)
        let response = HandshakeResponse(statusCode: status, headers: fields)
        return try request.negotiate(response)
    }

    static func expectFailure(
        _ failure: HandshakeFailure,
        deflate: DeflateOptions? = nil,
        _ change: (inout HTTPFields) -> Void
    ) {
        #expect(throws: failure) { try negotiate(deflate: deflate, change) }
    }

    @Test("The RFC's example is accepted")
    func example() throws {
        let value = AcceptKey.expected(for: "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(value == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(try Self.negotiate() == HandshakeResult())
        #expect(
            try Self.negotiate {
                $0["Upgrade"] = "WebSocket"
                $0["Connection"] = "keep-alive, UPGRADE"
            } == HandshakeResult()
        )
        #expect(
            try Self.negotiate {
                $0["Connection"] = "keep-alive"
                $0.append(name: "connection", value: "upgrade")
            } == HandshakeResult()
        )
    }

    @Test("Another status is a failure", arguments: [100, 200, 301, 401, 403, 426, 500])
    func status(code: Int) {
        #expect(throws: HandshakeFailure.status(code)) { try Self.negotiate(status: code) }
    }

    @Test("Upgrade and Connection have to be present and right")
    func upgrade() {
        Self.expectFailure(.upgrade(nil)) { $0["Upgrade"] = nil }
        Self.expectFailure(.upgrade("h2c")) { $0["Upgrade"] = "h2c" }
        Self.expectFailure(.upgrade("websocket, websocket")) {
            $0.append(name: "Upgrade", value: "websocket")
        }
        Self.expectFailure(.upgrade("websockets")) { $0["Upgrade"] = "websockets" }
        Self.expectFailure(.connection(nil)) { $0["Connection"] = nil }
        Self.expectFailure(.connection("close")) { $0["Connection"] = "close" }
        Self.expectFailure(.connection("Upgrades")) { $0["Connection"] = "Upgrades" }
    }

    @Test("The accept value is compared case-sensitively")
    func accept() {
        let name: HTTPField.Name = "Sec-WebSocket-Accept"
        Self.expectFailure(.missingAccept) { $0[name] = nil }
        for wrong in [
            "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ,", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
            "dGhlIHNhbXBsZSBub25jZQ==",
        ] {
            Self.expectFailure(.wrongAccept) { $0[name] = wrong }
        }
        Self.expectFailure(.wrongAccept) {
            $0.append(name: name, value: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        }
    }

    @Test("The subprotocol has to be one of those offered, in the same case, or none")
    func subprotocol() throws {
        let name: HTTPField.Name = "Sec-WebSocket-Protocol"
        let chosen = try Self.negotiate(subprotocols: ["chat", "Chat2"]) { $0[name] = "Chat2" }
        #expect(chosen.subprotocol == "Chat2")
        #expect(try Self.negotiate(subprotocols: ["chat"]).subprotocol == nil)
        for wrong in ["CHAT", "other", "", "chat, chat2", "chat,chat"] {
            #expect(throws: HandshakeFailure.unofferedSubprotocol(wrong)) {
                try Self.negotiate(subprotocols: ["chat", "chat2"]) { $0[name] = wrong }
            }
        }
        #expect(throws: HandshakeFailure.unofferedSubprotocol("chat")) {
            try Self.negotiate { $0[name] = "chat" }
        }
        #expect(throws: HandshakeFailure.noSubprotocol) {
            try Self.negotiate(subprotocols: ["chat"], requiresSubprotocol: true)
        }
    }

    @Test("An extension that wasn't offered is refused")
    func extensions() throws {
        let name: HTTPField.Name = "Sec-WebSocket-Extensions"
        Self.expectFailure(.unofferedExtension("permessage-deflate")) {
            $0[name] = "permessage-deflate"
        }
        let deflate = DeflateOptions()
        Self.expectFailure(.unofferedExtension("x-webkit-deflate-frame"), deflate: deflate) {
            $0[name] = "x-webkit-deflate-frame"
        }
        Self.expectFailure(.unofferedExtension("other"), deflate: deflate) {
            $0[name] = "permessage-deflate"
            $0.append(name: name, value: "other")
        }
        Self.expectFailure(.unofferedExtension("permessage-deflate"), deflate: deflate) {
            $0[name] = "permessage-deflate, permessage-deflate"
        }
        Self.expectFailure(.malformedExtensions, deflate: deflate) { $0[name] = "a;" }
        Self.expectFailure(.unacceptableExtension("permessage-deflate; x=1"), deflate: deflate) {
            $0[name] = "permessage-deflate;x=1"
        }
        #expect(try Self.negotiate(deflate: deflate).deflate == nil)
        #expect(try Self.negotiate(deflate: deflate) { $0[name] = "" }.deflate == nil)
        let agreed = try Self.negotiate(deflate: deflate) {
            $0[name] = "permessage-deflate; client_max_window_bits=\"10\""
        }
        #expect(agreed.deflate?.clientMaxWindowBits == 10)
    }

    @Test("Only extension failures mention code 1010")
    func closeCode() {
        let failures: [HandshakeFailure] = [
            .malformedResponse(.notHTTP), .status(200), .upgrade(nil), .upgrade("x"),
            .connection(nil), .connection("x"), .missingAccept, .wrongAccept,
            .unofferedSubprotocol("x"), .noSubprotocol, .malformedExtensions,
            .unofferedExtension("x"), .unacceptableExtension("x"), .redirect(.downgrade),
        ]
        #expect(Set(failures.map(\.description)).count == failures.count)
        for failure in failures {
            #expect(
                (failure.closeCode == .mandatoryExtension) == failure.description.contains("1010")
            )
        }
    }
}
