import LoopbackServer
import TestSupport
import Testing
import WebSocketClient

@Suite("Batches", .blocking)
struct BatchTests {
    @Test("A batch arrives whole and in order, whatever the sizes")
    func order() throws {
        var sizes = [0, 1, 125, 126, 300_000, 7, 65536, 262_144, 262_130]
        sizes += Array(0..<2000)
        let messages = sizes.map { size in
            (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ size) }
        }
        let server = try LoopbackServer(expected: messages.flatMap { $0 })
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url("/sink?count=\(sizes.count)"))
        #expect(try socket.sendBatch(binary: messages) == sizes.count)
        let verdict = try socket.receiveText()
        #expect(verdict.hasPrefix("done \(sizes.count) messages"), "\(verdict)")
        try socket.close()
    }

    @Test("In a batch, only text that isn't UTF-8 is refused, and the count says how many went out")
    func invalidText() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        do {
            try socket.withBatch { batch in
                try batch.send("one")
                let bytes: [UInt8] = [0x61, 0xFF]
                try batch.send(text: bytes.span.bytes)
            }
            Issue.record("the batch was not interrupted")
        } catch {
            guard
                case WebSocketError.batchInterrupted(sent: 1, cause: .invalidPayload(offset: 1)) =
                    error
            else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(try socket.receive() == .text("one"))
        try socket.send("two")
        #expect(try socket.receive() == .text("two"))
        try socket.close()
    }

    @Test("A subclass sees each message of a batch as a frame")
    func subclass() throws {
        final class Counting: WebSocket, @unchecked Sendable {
            nonisolated(unsafe) var frames = 0
            override func send(frame: Frame) throws -> Int {
                frames += 1
                return try super.send(frame: frame)
            }
        }
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try Counting.connect(to: server.url())
        #expect(try socket.sendBatch(["a", "b", "c"]) == 3)
        #expect(socket.frames == 3)
        for expected in ["a", "b", "c"] { #expect(try socket.receive() == .text(expected)) }
        try socket.close()
    }

    @Test("forEachMessage lends every message, whole or in pieces")
    func forEach() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url("/source?count=50&size=70000&type=text"))
        try socket.send("go")
        var count = 0
        try socket.forEachMessage { opcode, bytes in
            #expect(opcode == .text)
            #expect(bytes.byteCount == 70000)
            count += 1
            return count < 50
        }
        #expect(count == 50)
        try socket.close()
    }

    @Test("A closure's own error is rethrown, and its messages before it go out")
    func ownError() throws {
        struct Mine: Error {}
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        #expect(throws: Mine.self) {
            try socket.withBatch { batch in
                try batch.send("before")
                throw Mine()
            }
        }
        #expect(throws: Mine.self) {
            try socket.forEachMessage { _, bytes in
                #expect(bytes.byteCount == 6)
                throw Mine()
            }
        }
        #expect(throws: WebSocketError.self) {
            try socket.withBatch { batch in
                try batch.send(text: [0xFF].span.bytes)
            }
        }
        try socket.send("after")
        #expect(try socket.receive() == .text("after"))
        try socket.close()
    }
}
