import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// The example of websocket-client's README: a class that sees every frame.
private final class FrameCountingSocket: WebSocket, @unchecked Sendable {
    let received = Locked<[Opcode]>([])
    let sent = Locked<[Opcode]>([])

    override func receiveFrame() throws -> Frame {
        let frame = try super.receiveFrame()
        received.withLock { $0.append(frame.opcode) }
        return frame
    }

    override func send(frame: Frame) throws -> Int {
        sent.withLock { $0.append(frame.opcode) }
        return try super.send(frame: frame)
    }
}

@Suite("createConnection", .blocking)
struct CreateConnectionTests {
    /// Connects to a server that answers the handshake, and returns the request.
    private func request(
        _ connect: (_ url: String) throws -> WebSocket
    ) throws -> (fields: HTTPFields, socket: WebSocket) {
        let asked = Locked<HTTPFields?>(nil)
        let server = try LoopbackServer { connection in
            asked.withLock { $0 = connection.headers }
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let socket = try connect(server.url())
        try socket.close()
        return (try #require(asked.withLock { $0 }), socket)
    }

    @Test("websocket-client's arguments set the header fields")
    func header() throws {
        let (fields, socket) = try request { url in
            try createConnection(
                url,
                timeout: .seconds(5),
                header: ["X-One": "1", "X-Two": "2"],
                cookie: "a=1; b=2",
                origin: "https://origin.example",
                host: "host.example",
                connection: "keep-alive, Upgrade",
                subprotocols: ["chat", "superchat"]
            )
        }
        #expect(fields["X-One"] == "1")
        #expect(fields["X-Two"] == "2")
        #expect(fields["Cookie"] == "a=1; b=2")
        #expect(fields["Origin"] == "https://origin.example")
        #expect(fields["Host"] == "host.example")
        #expect(fields["Connection"] == "keep-alive, Upgrade")
        #expect(fields["Sec-WebSocket-Protocol"]?.contains("superchat") == true)
        #expect(socket.subprotocol == "chat")
        #expect(socket.status == 101)
        #expect(socket.headers["upgrade"] == "websocket")
        #expect(!socket.isSecure)
        #expect(socket.timeout == .seconds(5))
    }

    @Test("Origin and Host can be left out")
    func suppressed() throws {
        let (fields, _) = try request { url in try createConnection(url, suppressOrigin: true) }
        #expect(!fields.contains("Origin"))
        #expect(fields.contains("Host"))
        // RFC 9112 §3.2: "A server MUST respond with a 400 … to any … request message that lacks a
        // Host header field".
        let error = #expect(throws: WebSocketError.self) {
            try request { url in try createConnection(url, suppressHost: true) }
        }
        guard case .badStatus(let response) = error else { throw try #require(error) }
        #expect(response.statusCode == 400)
    }

    @Test("A field in the header argument replaces a generated one")
    func replacedField() throws {
        let (fields, _) = try request { url in
            try createConnection(url, header: ["Origin": "null", "User-Agent": "me"])
        }
        #expect(fields[values: "Origin"] == ["null"])
        #expect(fields["User-Agent"] == "me")
    }

    @Test("The call's time-out applies to connecting and receiving")
    func timeout() throws {
        let listener = try Listener()
        defer { listener.close() }
        let url = "ws://127.0.0.1:\(listener.port)/"
        let time = elapsed {
            #expect(throws: WebSocketError.self) {
                try createConnection(url, timeout: .milliseconds(200))
            }
        }
        #expect(time < .ample)
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try createConnection(server.url(), timeout: .seconds(2))
        #expect(throws: WebSocketError.self) { try socket.receive() }
        socket.timeout = nil
        #expect(socket.timeout == nil)
        try socket.send("still there")
        #expect(try socket.receive() == .text("still there"))
        try socket.close()
    }

    @Test("The class can be the caller's, and every higher-level call goes through its methods")
    func customClass() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try createConnection(server.url(), as: FrameCountingSocket.self)
        try socket.send("Hello, World")
        #expect(try socket.receive() == .text("Hello, World"))
        try socket.send(binary: [1])
        #expect(try socket.receiveData().payload == [1])
        try socket.ping("x")
        #expect(try socket.receiveDataFrame(controlFrames: true).opcode == .pong)
        #expect(socket.received.withLock { $0 } == [.text, .binary, .pong])
        #expect(socket.sent.withLock { $0 } == [.text, .binary, .ping])
        try socket.close()
    }

    @Test("On request, fragments are delivered as they arrive, and text unchecked")
    func receivingOptions() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.text, Array("Hel".utf8), isFinal: false)
            try connection.send(.continuation, Array("lo".utf8))
            try connection.send(.text, [0x61, 0xFF])
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let socket = try createConnection(
            server.url(),
            fireContFrame: true,
            skipUTF8Validation: true
        )
        let first = try socket.receiveDataFrame()
        #expect(first.opcode == .text && first.text == "Hel" && !first.isFinal)
        let second = try socket.receiveDataFrame()
        #expect(second.opcode == .continuation && second.text == "lo" && second.isFinal)
        #expect(try socket.receiveData().payload == [0x61, 0xFF])
        try socket.close()
    }

    @Test("The masking key and the socket can be the caller's")
    func lowLevel() throws {
        let (client, other) = try makeDescriptorPair()
        let peer = SocketStream(
            try Socket(adopting: other),
            wakeUp: try WakeUp()
        )
        let wire = Background {
            let head = try #require(try peer.readSome(until: .ample))
            let text = String(decoding: head, as: UTF8.self)
            let key = try #require(
                text.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key") }
            )
            let accept = AcceptKey.expected(
                for: String(key.split(separator: " ")[1])
            )
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n"
            try peer.writeAll(Array(answer.utf8), until: .ample)
            return try peer.readSome(until: .ample)
        }
        let socket = try createConnection(
            "ws://unused.example/",
            socket: client,
            getMaskKey: { 0x0403_0201 }
        )
        #expect(socket.fileDescriptor == client)
        #expect(try socket.send("abcd") == 10)
        #expect(try wire.join() == [0x81, 0x84, 1, 2, 3, 4, 0x60, 0x60, 0x60, 0x60])
        socket.abort()
    }

    @Test("Socket options are set on the connection's socket, including the defaults")
    func socketOptions() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try createConnection(
            server.url(),
            sockopt: [SocketOption(level: SOL_SOCKET, name: SO_PRIORITY, value: 3)]
        )
        let descriptor = try #require(socket.fileDescriptor)
        #expect(option(SOL_SOCKET, SO_PRIORITY, of: descriptor) == 3)
        #expect(option(Int32(IPPROTO_TCP), TCP_NODELAY, of: descriptor) == 1)
        #expect(SocketOption.defaults.contains(.noDelay(true)))
        try socket.close()
        #expect(socket.fileDescriptor == nil)
    }

    @Test("A proxy's host needs a port")
    func proxyWithoutPort() {
        #expect(throws: WebSocketError.self) {
            try createConnection("ws://127.0.0.1:9/", httpProxyHost: "127.0.0.1")
        }
    }

    @Test("A given proxy is used, unless the host is to be reached directly")
    func proxy() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let listener = try Listener()
        let port = listener.port
        listener.close()
        #expect(throws: WebSocketError.self) {
            try createConnection(server.url(), httpProxyHost: "127.0.0.1", httpProxyPort: port)
        }
        let socket = try createConnection(
            server.url(),
            httpProxyHost: "127.0.0.1",
            httpProxyPort: port,
            httpNoProxy: ["127.0.0.1"]
        )
        try socket.close()
    }

    @Test("Iterating ends where the peer closes cleanly, and throws where it doesn't")
    func iteration() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.text, Array("one".utf8))
            try connection.send(.text, [])
            let code: UInt16 = connection.target == "/orderly" ? 1000 : 1011
            try connection.sendClose(code: code, reason: "")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let orderly = try createConnection(server.url("/orderly"))
        var messages: [Message] = []
        while let message = try orderly.next() { messages.append(message) }
        #expect(messages == [.text("one"), .text("")])
        #expect(try orderly.next() == nil)
        let failing = try createConnection(server.url("/failing"))
        #expect(try failing.next() == .text("one"))
        #expect(try failing.next() == .text(""))
        #expect(throws: WebSocketError.self) { try failing.next() }
        #expect(failing.closeFrame?.code == .internalError)
    }

    private func option(_ level: Int32, _ name: Int32, of descriptor: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout.size(ofValue: value))
        getsockopt(descriptor, level, name, &value, &length)
        return value
    }
}

@Suite("Defaults of the process", .blocking, .serialized)
struct DefaultsTests {
    @Test("The default time-out applies to connections without one of their own")
    func timeout() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        #expect(WebSocket.defaultTimeout == nil)
        WebSocket.defaultTimeout = .seconds(77)
        let socket = try createConnection(server.url())
        let other = try createConnection(server.url(), timeout: .seconds(5))
        WebSocket.defaultTimeout = nil
        #expect(socket.timeout == .seconds(77))
        #expect(other.timeout == .seconds(5))
        try socket.close()
        try other.close()
    }
}
