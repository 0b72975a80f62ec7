import Logging
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// Records log entries.
private struct Notebook: LogHandler {
    let journal: Journal
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { journal.note("\(event.level) \(event.message)") }
}

// The trace belongs to the whole process: other tests may add to it while it is on.
@Suite("Tracing", .blocking, .serialized)
struct TracingTests {
    func trace(_ body: () throws -> Void) rethrows -> [String] {
        let journal = Journal()
        enableTrace(true, logger: Logger(label: "test") { _ in Notebook(journal: journal) })
        defer { enableTrace(false) }
        try body()
        return journal.entries
    }

    @Test("Handshakes and frames are shown both ways, in the order of the wire")
    func conversation() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.text, Array("marked-a".utf8), isFinal: false)
            try connection.send(.continuation, Array("marked-b".utf8))
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let entries = try trace {
            let socket = try WebSocket.connect(to: server.url("/marked-path"))
            #expect(try socket.receive() == .text("marked-amarked-b"))
            try socket.send("marked-text")
            try socket.ping("marked-ping")
            try socket.close(reason: "marked-reason")
        }
        let request = try #require(entries.first { $0.contains("GET /marked-path HTTP/1.1") })
        #expect(request.contains("--- request header to ws://127.0.0.1"))
        #expect(request.contains("\nUpgrade: websocket\n"))
        #expect(entries.contains { $0.contains("HTTP/1.1 101 Switching Protocols\n") })
        let frames = entries.filter { $0.contains("marked-") && $0.contains("++") }
        #expect(
            frames.prefix(4) == [
                "debug ++Rcv fin=0 opcode=text length=8 data=\"marked-a\"",
                "debug ++Rcv fin=1 opcode=continuation length=8 data=\"marked-b\"",
                "debug ++Sent fin=1 opcode=text length=11 data=\"marked-text\"",
                "debug ++Sent fin=1 opcode=ping length=11 data=\"marked-ping\"",
            ]
        )
        #expect(
            frames.contains("debug ++Sent fin=1 opcode=close length=15 data=1000 \"marked-reason\"")
        )
        // The answer repeats the code.
        #expect(
            entries.contains { $0.hasPrefix("debug ++Rcv fin=1 opcode=close length=2 data=1000") }
        )
    }

    @Test("Credentials and cookies are left out, and payloads shortened")
    func secrets() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        var options = ConnectOptions()
        options.headers = [
            "Authorization": "Bearer secret-1", "Proxy-Authorization": "Basic secret-2",
            "X-Shown": "shown",
        ]
        options.cookie = "id=secret-3"
        let entries = try trace {
            let socket = try WebSocket.connect(to: server.url(), options: options)
            try socket.send(String(repeating: "y", count: 64) + "secret-4")
            _ = try socket.receive()
            try socket.close()
        }
        #expect(!entries.contains { $0.contains("secret-") })
        let request = try #require(entries.first { $0.contains("X-Shown: shown") })
        for name in ["Authorization", "Proxy-Authorization", "Cookie"] {
            #expect(request.contains("\n\(name): ***\n") || request.hasSuffix("\n\(name): ***"))
        }
        #expect(entries.contains { $0.contains("++Sent") && $0.hasSuffix("y\"…") })
    }

    @Test("The cookies of an answer are left out")
    func setCookie() {
        let entries = trace {
            ConnectionLog.none.received(
                HandshakeResponse(
                    statusCode: 101,
                    headers: ["set-cookie": "id=secret-5", "Server": "marked-server"]
                )
            )
        }
        #expect(!entries.contains { $0.contains("secret-5") })
        #expect(entries.contains { $0.contains("set-cookie: ***\nServer: marked-server") })
    }

    @Test("The entries have the level that was asked for")
    func level() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let logger = Logger(label: "test") { _ in Notebook(journal: journal) }
        enableTrace(true, logger: logger, level: .info)
        defer { enableTrace(false) }
        try WebSocket.connect(to: server.url("/of-that-level")).close()
        let request = try #require(journal.entries.first { $0.contains("/of-that-level") })
        #expect(request.hasPrefix("info "))
    }

    @Test("Nothing is logged when the trace is off")
    func off() throws {
        let journal = Journal()
        enableTrace(true, logger: Logger(label: "test") { _ in Notebook(journal: journal) })
        enableTrace(false)
        let server = try LoopbackServer()
        defer { server.stop() }
        try WebSocket.connect(to: server.url("/never-shown")).close()
        #expect(journal.entries.allSatisfy { !$0.contains("never-shown") })
        #expect(Tracing.destination == nil)
    }

    @Test("Malformed and unusual frames can be shown too")
    func oddFrames() {
        func line(_ opcode: Opcode, _ bits: UInt8, _ payload: [UInt8]) -> String {
            payload.withUnsafeBytes { Tracing.line(opcode, true, bits, $0) }
        }
        #expect(line(.close, 0, []) == "fin=1 opcode=close length=0 data=(none)")
        #expect(line(.close, 0, [3]) == "fin=1 opcode=close length=1 data=(malformed)")
        #expect(line(.text, 4, [1, 255]) == "fin=1 rsv1=1 opcode=text length=2 data=[01 ff]")
        #expect(line(.text, 0, [0x1B, 0x0A]) == #"fin=1 opcode=text length=2 data="\u{1B}\n""#)
    }
}
