import Glibc
import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("A connection's socket", .blocking)
struct SocketTests {
    enum End: CaseIterable {
        case close, abort, peerCloses, peerCloseUnanswered, peerLost, violation, refused, released
        case badAnswer, noAnswer, deinitAlone
    }

    @Test("The descriptor is closed after each kind of end", arguments: End.allCases)
    func released(end: End) throws {
        let listener = try Listener()
        defer { listener.close() }
        let stop = Promise<Void>()
        let peer = Background { try? Self.serve(listener, end: end, until: stop) }
        var options = ConnectOptions()
        options.timeouts.close = .milliseconds(300)
        options.timeouts.handshake = end == .noAnswer ? .milliseconds(300) : .ample
        let descriptor = try Self.connect(to: listener.port)
        let identity = try #require(Descriptors.identity(of: descriptor))
        options.socket = descriptor

        var socket: WebSocket? = WebSocket(options: options)
        let error = failure { try socket?.connect(to: "ws://127.0.0.1:\(listener.port)/") }
        switch end {
        case .close: try socket?.close()
        case .abort: socket?.abort()
        case .peerCloses, .peerCloseUnanswered, .peerLost, .violation:
            #expect(failure { try socket?.receive() } != nil)
        case .refused, .badAnswer, .noAnswer: #expect(error != nil)
        case .released: socket?.shutdown()
        case .deinitAlone: socket = nil
        }
        #expect(!Descriptors.open.contains(identity))
        #expect(socket?.fileDescriptor == nil)
        stop.fulfil()
        try peer.join()
    }

    private static func connect(to port: UInt16) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, result == 0 else { throw SupportError("connect: errno \(errno)") }
        return descriptor
    }

    private static func serve(_ listener: Listener, end: End, until stop: Promise<Void>) throws {
        let stream = try listener.accept(until: .ample)
        switch end {
        case .refused:
            try stream.writeAll(Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8))
            return
        case .badAnswer:
            try stream.writeAll(Array("220 mail.example ESMTP\r\n\r\n".utf8))
            return
        case .noAnswer:
            try stop.value()
            return
        default: break
        }
        let server = try ServerConnection(accepting: stream, compression: nil)
        switch end {
        case .peerCloses:
            try server.write(WireFrame(.close, [3, 0xE8]))
            _ = try server.receiveClose()
        case .peerCloseUnanswered:
            try server.write(WireFrame(.close, [3, 0xE8]))
            try stop.value()
        case .violation: try server.write(WireFrame(rawOpcode: 3))
        case .peerLost: return
        default: break
        }
        while true { _ = try server.receive() }
    }

    @Test("A call in flight keeps the descriptor open until it has left")
    func inFlight() throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            let descriptor = try #require(socket.fileDescriptor)
            let identity = try #require(Descriptors.identity(of: descriptor))
            let readers = (0..<4).map { _ in Background { failure { try socket.receive() } } }
            pause(.milliseconds(50))
            socket.abort()
            for reader in readers { _ = try reader.join() }
            let isReleased = eventually { !Descriptors.open.contains(identity) }
            #expect(isReleased)
        }
    }

    @Test("The caller's own socket is used as it is")
    func adopted() throws {
        let (own, other) = try makeDescriptorPair()
        let identity = try #require(Descriptors.identity(of: own))
        let request = Promise<String>()
        let peer = Background {
            let stream = SocketStream(
                try Socket(adopting: other),
                wakeUp: try WakeUp()
            )
            let server = try ServerConnection(accepting: stream, compression: nil)
            request.fulfil("\(server.target) \(server.headers["Host"] ?? "")")
            try? {
                while true {
                    let (opcode, payload) = try server.receive()
                    try payload.withUnsafeBytes { try server.send(opcode, $0) }
                    try server.flush()
                }
            }()
        }
        var options = ConnectOptions()
        options.socket = own
        let socket = try WebSocket.connect(to: "ws://example.test:81/path?q", options: options)
        #expect(socket.fileDescriptor == own)
        #expect(try request.value() == "/path?q example.test:81")
        try socket.send("over a socketpair")
        #expect(try socket.receive() == .text("over a socketpair"))
        try socket.close(timeout: .seconds(1))
        try peer.join()
        #expect(!Descriptors.open.contains(identity))
    }

    @Test("The caller's own socket serves one connection, and follows no redirect")
    func adoptedOnce() throws {
        let listener = try Listener()
        defer { listener.close() }
        let peer = Background {
            let stream = try listener.accept(until: .ample)
            try stream.writeAll(
                Array("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".utf8)
            )
        }
        var options = ConnectOptions()
        let descriptor = try Self.connect(to: listener.port)
        let identity = try #require(Descriptors.identity(of: descriptor))
        options.socket = descriptor
        let socket = WebSocket(options: options)
        guard
            case .badStatus(let response) = failure({ try socket.connect(to: "ws://fake.test/") })
        else {
            Issue.record("it followed a redirect")
            return
        }
        #expect(response.statusCode == 302)
        #expect(!Descriptors.open.contains(identity))
        #expect(socket.options.socket == nil)
        try peer.join()
    }

    @Test("The caller's own socket is closed when it can't be used")
    func adoptedInVain() throws {
        let listener = try Listener()
        defer { listener.close() }
        var options = ConnectOptions()
        let descriptor = try Self.connect(to: listener.port)
        let identity = try #require(Descriptors.identity(of: descriptor))
        options.socket = descriptor
        options.cookie = "a\r\nb"
        let socket = WebSocket(options: options)
        guard case .invalidArgument = failure({ try socket.connect(to: "ws://fake.test/") }) else {
            Issue.record("the cookie was sent")
            return
        }
        #expect(!Descriptors.open.contains(identity))
    }

    @Test("A descriptor that isn't a socket is an error", arguments: [-1, 1_000_000])
    func noSocket(descriptor: Int32) {
        var options = ConnectOptions()
        options.socket = descriptor
        let socket = WebSocket(options: options)
        #expect(failure { try socket.connect(to: "ws://localhost/") } != nil)
        #expect(!socket.isConnected)
    }

    @Test("A Unix socket is connected to by its path")
    func unix() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/socket"
        let listener = try Listener(unixPath: path)
        defer { listener.close() }
        let peer = Background {
            let stream = try listener.accept(until: .ample)
            let server = try ServerConnection(accepting: stream, compression: nil)
            try server.send(text: "\(server.target) \(server.headers["Host"] ?? "")")
            try server.flush()
            server.waitForEnd()
        }
        var options = ConnectOptions()
        options.unixSocketPath = path
        let socket = try WebSocket.connect(to: "ws://daemon/api", options: options)
        #expect(try socket.receive() == .text("/api daemon"))
        socket.abort()
        try peer.join()
        options.unixSocketPath = "\(folder.path)/nobody"
        let stranger = WebSocket(options: options)
        let refused = failure { try stranger.connect(to: "ws://daemon/") }
        guard case .connectFailed(_, let attempts) = refused, let attempt = attempts.first else {
            Issue.record("it connected to nobody")
            return
        }
        #expect(attempts.count == 1 && attempt.call == "connect" && attempt.number == ENOENT)
        #expect("\(attempt)" == "unix:\(folder.path)/nobody: No such file or directory")
    }

    @Test("Signals that interrupt every system call do no harm")
    func interrupted() throws {
        // A handler without SA_RESTART: whatever blocks returns EINTR.
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        try #require(sigaction(SIGUSR1, &action, nil) == 0)
        let server = try LoopbackServer()
        defer { server.stop() }
        let url = server.url()
        let client = Background {
            for round in 0..<20 {
                let socket = try WebSocket.connect(to: url)
                let message = TestMessage(sender: 0, number: round, size: 200_000).bytes
                try socket.send(binary: message)
                guard try socket.receive() == .binary(message) else {
                    throw SupportError("damaged")
                }
                socket.timeout = .milliseconds(20)
                guard failure({ try socket.receive() })?.isReceiveTimeout == true else {
                    throw SupportError("the wait was cut short")
                }
                guard try socket.close() != nil else { throw SupportError("not closed") }
            }
        }
        for _ in 0..<400 {
            client.signal(SIGUSR1)
            pause(.microseconds(500))
        }
        try client.join()
    }
}
