import Testing
import WebSocketProtocol

@Suite("The description of a connection's end")
struct ConnectionEndTests {
    @Test(
        "A lost connection is described in one sentence, whether or not its cause is one",
        arguments: [
            ("closing timed out", "The connection was lost: closing timed out."),
            (
                "The peer ended the TLS connection without close_notify.",
                "The connection was lost: the peer ended the TLS connection without close_notify."
            ),
            (
                "recv failed: Connection reset by peer.",
                "The connection was lost: recv failed: Connection reset by peer."
            ),
        ]
    )
    func cause(cause: String, description: String) {
        #expect(ConnectionEnd(cause: cause).description == description)
    }

    @Test("A close frame is described by its code and its reason, escaped")
    func closed() {
        let plain = ConnectionEnd(received: ClosePayload(code: .goingAway))
        #expect(plain.description == "The connection is closed (code 1001).")
        let escaped = ConnectionEnd(received: ClosePayload(code: .goingAway, reason: "by\u{1B}e"))
        #expect(escaped.description == "The connection is closed (code 1001, \"by\\u{1B}e\").")
        #expect(plain.isClean && !ConnectionEnd(cause: "lost").isClean)
    }
}
