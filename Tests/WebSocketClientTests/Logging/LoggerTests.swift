import Logging
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// Records log entries, and can run an action for each.
private struct LogKeeper: LogHandler {
    struct Entry: Sendable {
        var level: Logger.Level
        var text: String
        var metadata: [String: String]
    }

    final class Records: Sendable {
        private let list = Locked<[Entry]>([])

        var entries: [Entry] { list.withLock { $0 } }
        func add(_ entry: Entry) { list.withLock { $0.append(entry) } }
        func frames(_ direction: String, _ opcode: String) -> [Entry] {
            entries.filter {
                $0.metadata["ws.direction"] == direction && $0.metadata["ws.opcode"] == opcode
            }
        }
    }

    let records: Records
    var reaction: @Sendable (Entry) -> Void = { _ in }
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let entry = Entry(
            level: event.level,
            text: "\(event.message)",
            metadata: (event.metadata ?? [:]).mapValues { "\($0)" }
        )
        records.add(entry)
        reaction(entry)
    }
}

private func options(
    _ records: LogKeeper.Records,
    level: Logger.Level = .trace,
    _ reaction: @escaping @Sendable (LogKeeper.Entry) -> Void = { _ in }
) -> ConnectOptions {
    var options = ConnectOptions()
    options.logger = Logger(label: "test") { _ in
        LogKeeper(records: records, reaction: reaction, logLevel: level)
    }
    return options
}

@Suite("Logging", .blocking, .serialized)
struct LoggerTests {
    @Test("A connection's events carry its number, its host, and the kind of each frame")
    func metadata() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let records = LogKeeper.Records()
        let socket = try WebSocket.connect(to: server.url("/path"), options: options(records))
        try socket.send("hello")
        #expect(try socket.receive() == .text("hello"))
        try socket.close()
        let numbers = Set(records.entries.map { $0.metadata["ws.connection"] })
        #expect(numbers.count == 1 && numbers.first != .some(nil))
        #expect(records.entries.allSatisfy { $0.metadata["ws.url.host"] == "127.0.0.1" })
        for direction in ["sent", "received"] {
            let frame = try #require(records.frames(direction, "text").first)
            #expect(frame.level == .trace && frame.metadata["ws.size"] == "5")
            #expect(frame.metadata["ws.final"] == "true")
            let close = try #require(records.frames(direction, "close").first)
            #expect(close.level == .debug && close.metadata["ws.close.code"] == "1000")
        }
        let texts = records.entries.map(\.text)
        #expect(texts.first?.hasPrefix("Connecting to 127.0.0.1 port") == true)
        #expect(texts.contains("Handshake request: GET /path HTTP/1.1"))
        #expect(texts.contains("Handshake field: Upgrade: websocket"))
        #expect(texts.last?.hasPrefix("Ended: ") == true)
        #expect(records.entries.contains { $0.metadata["ws.status"] == "101" })
    }

    @Test("Every event is one line, without payloads and credentials")
    func secrets() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let records = LogKeeper.Records()
        var options = options(records)
        options.headers = ["Authorization": "Bearer secret-1", "X-Api-Key": "secret-2"]
        options.cookie = "id=secret-3"
        let socket = try WebSocket.connect(to: server.url("/?t=secret-4"), options: options)
        try socket.send("secret-5")
        _ = try socket.receive()
        try socket.ping("secret-6")
        try socket.close(reason: "secret-7")
        #expect(records.entries.count > 5)
        for entry in records.entries {
            #expect(!"\(entry)".contains("secret-"))
            #expect(!entry.text.contains("\n"))
        }
    }

    @Test("One of two connections can be traced by itself, and they can be told apart")
    func twoConnections() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let (both, one) = (LogKeeper.Records(), LogKeeper.Records())
        let sockets = try [options(both), options(both), options(one), ConnectOptions()].map {
            try WebSocket.connect(to: server.url(), options: $0)
        }
        for socket in sockets { try socket.send("hello") }
        for socket in sockets { try socket.close() }
        #expect(Set(both.entries.map { $0.metadata["ws.connection"] }).count == 2)
        #expect(Set(one.entries.map { $0.metadata["ws.connection"] }).count == 1)
        #expect(one.frames("sent", "text").count == 1)
        #expect(both.frames("sent", "text").count == 2)
    }

    @Test("A logger gets no more than its level lets through")
    func level() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let records = LogKeeper.Records()
        let socket = try WebSocket.connect(
            to: server.url(),
            options: options(records, level: .debug)
        )
        try socket.send("hello")
        _ = try socket.receive()
        try socket.close()
        #expect(records.entries.allSatisfy { $0.level >= .debug })
        #expect(records.frames("sent", "text").isEmpty)
        #expect(!records.frames("sent", "close").isEmpty)
    }

    @Test("A failure to connect is logged")
    func failure() throws {
        let records = LogKeeper.Records()
        let listener = try Listener()
        let port = listener.port
        listener.close()
        #expect(throws: WebSocketError.self) {
            try WebSocket.connect(to: "ws://127.0.0.1:\(port)/", options: options(records))
        }
        #expect(records.entries.last?.text.hasPrefix("Connecting failed: ") == true)
    }

    @Test("A handler that sends over its own connection isn't called for its own messages")
    func sendingHandler() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let records = LogKeeper.Records()
        let socket = WebSocket()
        // The connection keeps its handler, so the handler has to release the connection.
        let target = Locked<WebSocket?>(socket)
        defer { target.withLock { $0 = nil } }
        let calls = Atomic<Int>(0)
        let chosen = options(records) { entry in
            guard entry.metadata["ws.direction"] == "sent", entry.metadata["ws.opcode"] == "text"
            else { return }
            calls.add(1, ordering: .relaxed)
            _ = try? target.withLock { $0 }?.send("again")
        }
        try socket.connect(to: server.url(), options: chosen)
        let connection = try #require(socket.connection)
        // While this thread holds the turn, other threads' frames are queued; for those the handler may
        // send.
        #expect(connection.sender.turn.tryTake())
        let sending = Background { try socket.send("first") }
        _ = try sending.join()
        var deadline = LazyDeadline(.seconds(30))
        connection.sender.leave(&deadline)
        #expect(calls.load(ordering: .relaxed) == 1)
        #expect(try socket.receive() == .text("first"))
        #expect(try socket.receive() == .text("again"))
        // In turn, the handler's messages are refused; the frame itself goes out.
        try socket.send("second")
        #expect(try socket.receive() == .text("second"))
        #expect(calls.load(ordering: .relaxed) == 2)
        try socket.close()
    }

    @Test("When the last connection with a logger is gone, logging is off")
    func noListener() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        do {
            let socket = try WebSocket.connect(
                to: server.url(),
                options: options(LogKeeper.Records())
            )
            #expect(Tracing.isEnabled)
            try socket.close()
        }
        // Other tests may be logging.
        while Tracing.isEnabled { pause(.milliseconds(10)) }
    }
}
