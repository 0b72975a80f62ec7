import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Through nginx, over TLS, to other projects' servers",
    .blocking,
    .needsSecureServer
)
struct SecureTests {
    @Test(
        "Messages of all lengths come back equal in both versions",
        arguments: Counterpart.allCases,
        [TLSOptions.Version.tls12, .tls13]
    )
    func echo(server: Counterpart, version: TLSOptions.Version) throws {
        var options = try SecureServer.options
        options.tls.minimumVersion = version
        options.tls.maximumVersion = version
        options.compression = DeflateOptions()
        let socket = try WebSocket.connect(to: SecureServer.url(of: server), options: options)
        #expect(socket.isSecure)
        var generator = SeededGenerator(state: 7)
        for count in [0, 1, 125, 126, 16_384, 65_536, 1 << 20] {
            let text = String(repeating: "é", count: count / 2)
            try socket.send(text)
            #expect(try socket.receive() == .text(text))
            let bytes = generator.noise(count)
            try socket.send(binary: bytes)
            let isEqual = try socket.receive() == .binary(bytes)
            #expect(isEqual, "\(count) bytes")
        }
        try socket.close()
    }

    @Test("One thread sends while another receives", arguments: Counterpart.allCases)
    func fullDuplex(server: Counterpart) throws {
        var options = try SecureServer.options
        options.compression = DeflateOptions()
        let socket = try WebSocket.connect(to: SecureServer.url(of: server), options: options)
        var messages = RandomMessages(seed: 11)
        let steps = messages.steps(messages: 1000)
        let reader = Background {
            for expected in steps.flatMap(\.messages) {
                let isEqual = try socket.receive() == expected
                guard isEqual else { throw SupportError("a message is not as it was sent") }
            }
        }
        for step in steps { try step.run(on: socket) }
        try reader.join()
        try socket.close()
    }

    @Test("Close codes pass in both directions", arguments: Counterpart.allCases)
    func closing(server: Counterpart) throws {
        let options = try SecureServer.options
        let closing = try WebSocket.connect(
            to: SecureServer.url(of: server, "/close?code=4001&reason=bye"),
            options: options
        )
        #expect(try closing.receive() == .text("closing"))
        let error = errorThrown { _ = try closing.receive() }
        guard case .connectionClosed(let closure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(closure.code == CloseCode(rawValue: 4001))
        #expect(closure.reason == "bye")

        let key = UUID().uuidString
        let closed = try WebSocket.connect(
            to: SecureServer.url(of: server, "/recorded?key=\(key)"),
            options: options
        )
        try closed.close(code: CloseCode(rawValue: 4002), reason: "so long")
        let witness = try WebSocket.connect(to: server.url("/record?key=\(key)"), options: .interop)
        #expect(try witness.receive() == .text("4002 so long"))
        try witness.close()
    }

    @Test("If the server behind nginx is down, nginx's 502 and its body are reported")
    func badGateway() throws {
        let error = errorThrown {
            try WebSocket.connect(to: SecureServer.url("/dead"), options: SecureServer.options)
                .abort()
        }
        guard case .badStatus(let response) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(response.statusCode == 502)
        #expect(String(decoding: response.body, as: UTF8.self).contains("nginx"))
    }

    @Test("An unknown authority is refused with OpenSSL's reason")
    func unknownAuthority() throws {
        let error = errorThrown {
            try WebSocket.connect(to: SecureServer.url(of: .ws), options: .interop).abort()
        }
        guard case .tls(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.isVerificationFailure)
    }
}
