import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Options of an app and of its runs", .blocking)
struct AppOptionTests {
    /// Runs `run` against a server that answers the handshake, and returns the request.
    private func request(_ run: (_ url: String) throws -> Void) throws -> HTTPFields {
        let asked = Locked<HTTPFields?>(nil)
        let server = try LoopbackServer { connection in
            asked.withLock { $0 = connection.headers }
            try connection.send(.text, [0x61, 0xFF])
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        try run(server.url())
        return try #require(asked.withLock { $0 })
    }

    @Test("The arguments of an app reach the server")
    func arguments() throws {
        let madeKey = Promise<Void>()
        var options = ConnectOptions()
        options.validatesUTF8 = false
        options.maskingKey = {
            madeKey.fulfil()
            return 0x0403_0201
        }
        let fields = try request { url in
            let app = WebSocketApp(
                url: url,
                header: ["X-One": "1"],
                onOpen: { app in
                    #expect(app.socket?.subprotocol == "chat")
                    app.close()
                },
                cookie: "a=1; b=2",
                subprotocols: ["chat", "superchat"],
                options: options
            )
            let failed = try app.runForever()
            #expect(!failed)
        }
        #expect(fields["X-One"] == "1")
        #expect(fields["Cookie"] == "a=1; b=2")
        #expect(fields["Sec-WebSocket-Protocol"] == "chat,superchat")
        #expect(madeKey.isFulfilled)
    }

    @Test("The arguments of a run reach the server")
    func runArguments() throws {
        let journal = Journal()
        func app(_ url: String) -> WebSocketApp {
            WebSocketApp(
                url: url,
                onMessage: { app, message in
                    journal.note("\(message)")
                    if let descriptor = app.socket?.fileDescriptor {
                        var value: Int32 = -1
                        var length = socklen_t(MemoryLayout.size(ofValue: value))
                        getsockopt(descriptor, SOL_SOCKET, SO_PRIORITY, &value, &length)
                        journal.note("priority \(value)")
                    }
                    app.close()
                }
            )
        }
        let given = try request { url in
            try app(url).runForever(
                sockopt: [SocketOption(level: SOL_SOCKET, name: SO_PRIORITY, value: 3)],
                skipUTF8Validation: true,
                host: "host.example",
                origin: "https://origin.example"
            )
        }
        #expect(given["Host"] == "host.example")
        #expect(given["Origin"] == "https://origin.example")
        #expect(journal.entries == ["a\u{FFFD}", "priority 3"])
        let suppressed = try request { url in
            try app(url).runForever(skipUTF8Validation: true, suppressOrigin: true)
        }
        #expect(!suppressed.contains("Origin"))
        #expect(suppressed.contains("Host"))
    }

    @Test("A run without a Host field is refused by a server that requires one")
    func suppressedHost() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let refusal = Locked<Int?>(nil)
        let app = WebSocketApp(
            url: server.url(),
            onError: { _, error in
                guard case WebSocketError.badStatus(let response) = error else { return }
                refusal.withLock { $0 = response.statusCode }
            }
        )
        #expect(try app.runForever(suppressHost: true))
        #expect(refusal.withLock { $0 } == 400)
    }

    @Test("An app can be given a connected socket")
    func ownSocket() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = server.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
        let journal = Journal()
        let app = WebSocketApp(
            url: "ws://name.invalid/echo",
            onOpen: { app in
                journal.note("uses it: \(app.socket?.fileDescriptor == descriptor)")
                try app.send("hello")
            },
            onMessage: { app, message in
                journal.note("\(message)")
                app.close()
            },
            socket: descriptor
        )
        #expect(try app.runForever() == false)
        #expect(journal.entries == ["uses it: true", "hello"])
    }

    /// Waits for it, as a child that another test has forked holds copies of all descriptors for a moment.
    private func isClosed(byPeerOf descriptor: Int32) -> Bool {
        defer { close(descriptor) }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        return poll(&entry, 1, 60_000) == 1 && recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 0
    }

    @Test("The caller's socket is closed if connecting fails, even before anything is sent")
    func failedOwnSocket() throws {
        let (first, firstPeer) = try makeDescriptorPair()
        #expect(throws: WebSocketError.self) {
            _ = try createConnection("http://example.com/", socket: first)
        }
        #expect(isClosed(byPeerOf: firstPeer))
        let (second, secondPeer) = try makeDescriptorPair()
        try WebSocketApp(url: "no URL", socket: second).runForever()
        #expect(isClosed(byPeerOf: secondPeer))
        let (third, thirdPeer) = try makeDescriptorPair()
        var options = ConnectOptions()
        options.socket = third
        do {
            let attempt = OpeningAttempt(WebSocket(options: options), to: "ws://example.com/")
            attempt.cancel()
            guard case .failure(.aborted) = attempt.run() else { Issue.record("it ran"); return }
        }
        #expect(isClosed(byPeerOf: thirdPeer))
    }

    @Test("Socket options from an argument are set after those of the options, in every call")
    func socketOptions() throws {
        let (first, second) = (SocketOption.receiveBufferSize(4096), SocketOption.noDelay(false))
        var options = ConnectOptions()
        options.socketOptions = [first]
        try PythonArguments(sockopt: [second]).apply(to: &options)
        #expect(options.socketOptions == [first, second])
    }

    @Test("An app's properties change as it runs")
    func facts() throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive()
            try connection.sendClose(code: 1011, reason: "oops")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                journal.note(
                    "\(app.isRunning) \(app.isConnected) \(app.socket != nil) \(app.hasErrored)"
                )
                try app.send("close, please")
            }
        )
        #expect(!app.isRunning && !app.isConnected && app.socket == nil && !app.hasErrored)
        #expect(app.lastCloseFrame == nil)
        #expect(try app.runForever())
        #expect(journal.entries == ["true true true false"])
        #expect(!app.isRunning && !app.isConnected && app.socket == nil && app.hasErrored)
        #expect(app.lastCloseFrame == ClosePayload(code: .internalError, reason: "oops"))
    }

    @Test("An app's own keepalive and reconnection apply to runs without arguments for them")
    func ownPlans() throws {
        let server = try LoopbackServer { connection in
            while try connection.nextPiece().opcode != .ping {}
            connection.stream.abort()
        }
        defer { server.stop() }
        let opened = Atomic<Int>(0)
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { _ in opened.wrappingAdd(1, ordering: .relaxed) }
        )
        app.keepalive = Keepalive(interval: .milliseconds(20))
        app.reconnection = .every(.milliseconds(1), maximumAttempts: 2)
        #expect(try app.runForever())
        #expect(opened.load(ordering: .relaxed) == 3)
    }

    @Test("The default reconnection applies to apps without one of their own")
    func defaultReconnection() async {
        // The default is the process's: one of its own doesn't disturb other tests.
        await #expect(processExitsWith: .success) {
            Leaks.ignoreInThisProcess()
            let server = try LoopbackServer { connection in connection.stream.abort() }
            let opened = Atomic<Int>(0)
            func app() -> WebSocketApp {
                WebSocketApp(
                    url: server.url(),
                    onOpen: { _ in opened.wrappingAdd(1, ordering: .relaxed) }
                )
            }
            #expect(WebSocketApp.defaultReconnection == nil)
            WebSocketApp.defaultReconnection = .every(.milliseconds(1), maximumAttempts: 3)
            // The closure is async, where blocking calls are unavailable.
            func run(_ reconnection: Reconnection?) throws {
                try app().runForever(reconnect: reconnection)
            }
            try run(nil)
            #expect(opened.load(ordering: .relaxed) == 4)
            try run(.every(.milliseconds(1), maximumAttempts: 1))
            #expect(opened.load(ordering: .relaxed) == 6)
        }
    }

    @Test("An app sends text, bytes and frames")
    func sending() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                #expect(try app.send("a") == 7)
                try app.send(binary: [1])
                try app.send([2, 3], opcode: .binary)
                try app.send([4], opcode: .ping)
            }
        )
        app.onPong = { app, payload in
            journal.note("pong \(payload)")
            app.close()
        }
        #expect(try app.runForever() == false)
        #expect(
            journal.entries
                == ["open", "text a", "binary [1]", "binary [2, 3]", "pong [4]", "close 1000 "]
        )
    }
}
