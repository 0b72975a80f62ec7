import LoopbackServer
import TestSupport
import Testing
import WebSocketClient

@Suite("The caller's header fields", .serialized, .blocking)
struct HeadersTests {
    /// The fields of a request with these, as a server sees them.
    private func seen(_ headers: RequestHeaders) throws -> HTTPFields {
        let asked = Promise<HTTPFields>()
        let server = try LoopbackServer { connection in
            asked.fulfil(connection.headers)
            _ = try connection.receive()
        }
        defer { server.stop() }
        try createConnection(server.url(), header: headers).close()
        return try asked.value()
    }

    @Test("Literals of pairs, literals of lines and typed fields all arrive")
    func forms() throws {
        for headers: RequestHeaders in [
            ["X-One": "1", "x-two": "2"], ["X-One: 1", "x-two:2"],
            RequestHeaders(["X-One": "1", "x-two": "2"] as HTTPFields),
            RequestHeaders(perAttempt: { try HTTPFields(pairs: [("X-One", "1"), ("x-two", "2")]) }),
        ] {
            let fields = try seen(headers)
            #expect(fields["X-One"] == "1" && fields["x-two"] == "2")
        }
    }

    @Test(
        "A line break or NUL in a value, or a name that isn't a token, is refused",
        arguments: [("X", "a\r\nY: b"), ("X", "a\0"), ("X", "a\n"), ("X Y", "a"), ("", "a")]
    )
    func refused(name: String, value: String) {
        func isRefused(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return false
            } catch {
                guard case WebSocketError.invalidArgument = error else { return false }
                return true
            }
        }
        #expect(isRefused { _ = try HTTPFields([name: value]) })
        #expect(isRefused { _ = try HTTPFields(pairs: [(name, value)]) })
        #expect(isRefused { _ = try HTTPFields(lines: ["\(name): \(value)"]) })
        #expect(isRefused { _ = try createConnection("ws://127.0.0.1:1", header: [name: value]) })
    }

    @Test("An app whose headers can't be sent reports it and sends nothing")
    func app() throws {
        let errors = Journal()
        let app = WebSocketApp(
            url: "ws://127.0.0.1:1",
            header: ["X": "a\r\nb"],
            onError: { _, error in errors.note("\(error)") }
        )
        #expect(try app.runForever())
        #expect(errors.entries == ["The value of the header field X contains a control character."])
    }
}
