// Uses only the public API, like a user of the product.
import HTTPTypes
import TestSupport
import Testing
import WebSocketClient
import WebSocketTesting

@Suite("The test server", .blocking)
struct TestServerTests {
    @Test("Without a script it echoes messages", arguments: [false, true])
    func echo(isSecure: Bool) throws {
        let server = try TestServer(isSecure: isSecure)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: server.options)
        #expect(socket.isSecure == isSecure)
        try socket.send("hello")
        try socket.send(binary: [1, 2, 3])
        #expect(try socket.receive() == .text("hello"))
        #expect(try socket.receive() == .binary([1, 2, 3]))
        try socket.close()
    }

    @Test("Only its own options trust its certificate")
    func trust() throws {
        let server = try TestServer(isSecure: true)
        defer { server.stop() }
        var options = server.options
        options.tls = TLSOptions()
        #expect(throws: WebSocketError.self) {
            try WebSocket.connect(to: server.url(), options: options)
        }
        let other = try TestServer(isSecure: true)
        defer { other.stop() }
        #expect(throws: WebSocketError.self) {
            try WebSocket.connect(to: server.url(), options: other.options)
        }
        let name = "wss://localhost:\(server.port)/"
        try WebSocket.connect(to: name, options: server.options).close()
    }

    @Test("A script sees the request, and decides the answers and the end")
    func script() throws {
        let server = try TestServer { connection in
            try connection.send(connection.request.target)
            try connection.send(connection.request.headers[.authorization] ?? "nobody")
            guard try connection.receive() == .text("ready") else { return connection.cut() }
            try connection.close(.goingAway, reason: "restart")
        }
        defer { server.stop() }
        var options = server.options
        options.headers[.authorization] = "Bearer x"
        let socket = try WebSocket.connect(to: server.url("/feed?depth=5"), options: options)
        #expect(try socket.receive() == .text("/feed?depth=5"))
        #expect(try socket.receive() == .text("Bearer x"))
        try socket.send("ready")
        #expect(throws: WebSocketError.self) { try socket.receive() }
        #expect(socket.closeFrame?.code == .goingAway && socket.closeFrame?.reason == "restart")
    }

    @Test("A door can refuse and redirect")
    func door() throws {
        let target = try TestServer()
        defer { target.stop() }
        let server = try TestServer(
            door: { request in
                switch request.target {
                case "/moved": .redirect(to: target.url())
                case "/busy":
                    .refuse(status: 503, headers: [.retryAfter: "7"], body: "come back later")
                default: .accept
                }
            }
        )
        defer { server.stop() }
        let refusal = failure {
            try WebSocket.connect(to: server.url("/busy"), options: server.options)
        }
        guard case .badStatus(let response) = refusal else {
            Issue.record("no refusal: \(String(describing: refusal))")
            return
        }
        #expect(response.statusCode == 503 && response.headers[.retryAfter] == "7")
        #expect(String(decoding: response.body, as: UTF8.self) == "come back later")
        let socket = try WebSocket.connect(to: server.url("/moved"), options: server.options)
        try socket.send("there")
        #expect(try socket.receive() == .text("there"))
        try socket.close()
        try WebSocket.connect(to: server.url("/open"), options: server.options).close()
    }

    @Test("A cut, half a frame and a violation are reported as such")
    func faults() throws {
        let server = try TestServer { connection in
            switch connection.request.target {
            case "/cut":
                try connection.send("before")
                connection.cut()
            case "/half":
                try connection.write([0x81, 5, 0x68])
            case "/rsv":
                try connection.write([0xF1, 0])
                connection.ignore()
            case "/text":
                try connection.send(frame: Frame(opcode: .text, payload: [0xFF]))
                connection.ignore()
            default: connection.ignore()
            }
        }
        defer { server.stop() }
        func outcome(_ path: String) throws -> WebSocketError? {
            let socket = try WebSocket.connect(to: server.url(path), options: server.options)
            defer { socket.abort() }
            return failure { while true { _ = try socket.receive() } }
        }
        for path in ["/cut", "/half"] {
            let error = try outcome(path)
            #expect(error?.closure?.isClean == false, "\(path): \(String(describing: error))")
        }
        if case .protocolViolation = try outcome("/rsv") {} else { Issue.record("no violation") }
        if case .invalidPayload = try outcome("/text") {} else { Issue.record("no bad text") }
    }

    @Test("An ignored client reaches its own time-out, and stopping the server ends the others")
    func silence() throws {
        let server = try TestServer { $0.ignore() }
        var options = server.options
        options.timeouts.receive = .milliseconds(50)
        let socket = try WebSocket.connect(to: server.url(), options: options)
        #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
        server.stop()
        socket.timeout = .seconds(30)
        #expect(failure { try socket.receive() }?.closure != nil)
    }

    @Test("Compression is agreed with clients that offer it")
    func compression() throws {
        let server = try TestServer(compression: DeflateOptions())
        defer { server.stop() }
        var options = server.options
        options.compression = DeflateOptions()
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let text = String(repeating: "tick ", count: 1000)
        try socket.send(text)
        #expect(try socket.receive() == .text(text))
        #expect(try #require(socket.statistics.received.compressionRatio) > 10)
        try socket.close()
    }
}
