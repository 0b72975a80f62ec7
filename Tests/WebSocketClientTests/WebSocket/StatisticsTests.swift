import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Statistics", .blocking)
struct StatisticsTests {
    @Test("Messages, frames and bytes are counted in both directions, also after the end")
    func counts() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = WebSocket()
        #expect(socket.statistics == WebSocketStatistics())
        try socket.connect(to: server.url())
        try socket.send("hello")
        try socket.send(binary: [UInt8](repeating: 1, count: 300))
        try socket.send(consuming: [UInt8](repeating: 2, count: 70_000))
        for _ in 0..<3 { _ = try socket.receive() }
        var counts = socket.statistics
        #expect(counts.sent.messages == 3 && counts.sent.frames == 3)
        #expect(counts.sent.payloadBytes == 70_305)
        #expect(counts.sent.wireBytes == 70_305 + (2 + 4 + 10) + 3 * 4)
        #expect(counts.received.messages == 3 && counts.received.frames == 3)
        #expect(counts.received.payloadBytes == 70_305)
        #expect(counts.received.wireBytes == 70_305 + (2 + 4 + 10))
        #expect(counts.sent.compressionRatio == nil && counts.received.compressionRatio == nil)
        try socket.close()
        counts = socket.statistics
        #expect(counts.sent.messages == 3 && counts.sent.frames == 4)
        #expect(counts.received.messages == 3 && counts.received.frames == 4)
        // A new connection begins at zero.
        try socket.connect(to: server.url())
        #expect(socket.statistics.sent == WebSocketStatistics.Direction())
        try socket.close()
    }

    @Test("Text that isn't UTF-8 doesn't count, as it isn't sent")
    func refusedText() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        try socket.withBatch { batch in
            try batch.send("hello")
            #expect(throws: WebSocketError.self) { try batch.send(text: [0x61, 0xFF].span.bytes) }
        }
        let sent = socket.statistics.sent
        #expect(sent.messages == 1 && sent.frames == 1)
        #expect(sent.payloadBytes == 5 && sent.wireBytes == 6 + 5)
        try socket.close()
    }

    @Test("Pings and pongs are counted, and the last round trip is measured")
    func pings() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.ping, [])
            try connection.flush()
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        #expect(socket.statistics.lastRoundTrip == nil)
        let before = ContinuousClock.now
        try socket.ping("one")
        var pongs = 0
        while pongs == 0 {
            if try socket.receiveDataFrame(controlFrames: true).opcode == .pong { pongs += 1 }
        }
        let counts = socket.statistics
        let trip = try #require(counts.lastRoundTrip)
        #expect(trip > .zero && trip <= before.duration(to: .now))
        #expect(counts.sent.pings == 1 && counts.sent.pongs == 1)
        #expect(counts.received.pings == 1 && counts.received.pongs == 1)
        #expect(counts.sent.messages == 0 && counts.sent.payloadBytes == 0)
        socket.abort()
    }

    @Test("A pong that answers no ping measures nothing")
    func foreignPong() throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive()
            try connection.send(.pong, [9])
            try connection.send(text: "end")
            try connection.flush()
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        try socket.send("begin")
        #expect(try socket.receive() == .text("end"))
        #expect(socket.statistics.received.pongs == 1)
        #expect(socket.statistics.lastRoundTrip == nil)
        socket.abort()
    }

    @Test("Compressed messages count uncompressed, and the ratio is known", arguments: [1, 2])
    func compression(threads: Int) throws {
        var deflate = DeflateOptions()
        deflate.threads = threads
        let server = try LoopbackServer(compression: deflate)
        defer { server.stop() }
        var options = ConnectOptions()
        options.compression = deflate
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let text = String(repeating: "tick ", count: 2000)
        try socket.send(text)
        try socket.send(PreparedMessage(text))
        for _ in 0..<2 { #expect(try socket.receive() == .text(text)) }
        let counts = socket.statistics
        for direction in [counts.sent, counts.received] {
            #expect(direction.messages == 2 && direction.payloadBytes == 20_000)
            #expect(direction.uncompressedBytes == 20_000)
            #expect(direction.compressedBytes < 2000)
            #expect(direction.wireBytes < 2000 && direction.wireBytes > direction.compressedBytes)
            #expect(try #require(direction.compressionRatio) > 10)
        }
        try socket.close()
    }

    @Test("A fragmented message counts once, a batch message by message")
    func fragmentsAndBatches() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.text, Array("a".utf8), isFinal: false)
            try connection.send(.continuation, Array("b".utf8))
            while true {
                if try connection.receive().payload == Array("end".utf8) {
                    try connection.send(text: "end")
                }
            }
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        #expect(try socket.receive() == .text("ab"))
        #expect(socket.statistics.received.messages == 1)
        #expect(socket.statistics.received.frames == 2)
        #expect(socket.statistics.received.payloadBytes == 2)
        try socket.send(frame: Frame(opcode: .text, payload: [97], isFinal: false))
        try socket.send(frame: Frame(opcode: .continuation, payload: [98]))
        try socket.withBatch { batch in
            for _ in 0..<100 { try batch.send("12345") }
        }
        try socket.send("end")
        #expect(try socket.receive() == .text("end"))
        let sent = socket.statistics.sent
        #expect(sent.messages == 102 && sent.frames == 103)
        #expect(sent.payloadBytes == 2 + 500 + 3)
        #expect(sent.wireBytes == sent.payloadBytes + 103 * 6)
        try socket.close()
    }

    @Test("Refused text isn't counted")
    func invalidText() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        let wrong: [UInt8] = [0x61, 0xFF]
        #expect(throws: WebSocketError.self) { try socket.send(text: wrong.span.bytes) }
        #expect(socket.statistics.sent == WebSocketStatistics.Direction())
        try socket.close()
    }

    @Test("The sums of one direction are consistent, whatever other threads send")
    func consistency() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url("/sink?count=1000000"))
        let isDone = Atomic<Bool>(false)
        let senders = (0..<3).map { _ in
            Background { for _ in 0..<2000 { try socket.send("0123456789") } }
        }
        let reader = Background {
            var last = 0
            while !isDone.load(ordering: .acquiring) {
                let sent = socket.statistics.sent
                #expect(sent.messages >= last && sent.frames == sent.messages)
                #expect(sent.payloadBytes == 10 * sent.messages)
                #expect(sent.wireBytes == 16 * sent.messages)
                last = sent.messages
            }
        }
        for sender in senders { _ = try sender.join() }
        isDone.store(true, ordering: .releasing)
        _ = try reader.join()
        #expect(socket.statistics.sent.messages == 6000)
        socket.abort()
    }

    @Test("Inside a loop over messages, all earlier messages are counted")
    func loop() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url("/source?count=50&size=10&type=text"))
        try socket.send("go")
        var count = 0
        try socket.forEachMessage { _, _ in
            count += 1
            #expect(socket.statistics.received.messages == count)
            return count < 50
        }
        #expect(socket.statistics.received.payloadBytes == 500)
        socket.abort()
    }

    @Test("Tasks' messages are counted like threads'")
    func tasks() async throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url())
        try await socket.send("hello")
        #expect(try await socket.receive() == .text("hello"))
        #expect(socket.statistics.sent.messages == 1)
        #expect(socket.statistics.received.messages == 1)
        try await socket.close()
    }

    @Test("An app adds up its connections and counts its reconnections")
    func app() throws {
        let server = try LoopbackServer { connection in
            try connection.send(text: "tick")
            try connection.sendClose(code: 1012, reason: "again")
        }
        defer { server.stop() }
        let opened = Atomic<Int>(0)
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { _ in opened.add(1, ordering: .relaxed) },
            onMessage: { app, _ in
                if app.statistics.received.messages == 3 { app.close() }
            }
        )
        try app.runForever(reconnect: .every(.zero))
        #expect(app.statistics.received.messages == 3)
        #expect(app.statistics.reconnections == 2)
        #expect(opened.load(ordering: .relaxed) == 3)
        #expect(app.statistics.sent.frames >= 2)
    }
}
