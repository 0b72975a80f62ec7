import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Connections in tasks", .blocking)
struct AsyncConnectionTests {
    /// A server that accepts and stays silent.
    private func withSilentServer(_ body: (String) async throws -> Void) async throws {
        let listener = try Listener(port: 0)
        defer { listener.close() }
        try await body("ws://127.0.0.1:\(listener.port)/")
    }

    @Test("Cancelling a task ends its attempt to connect")
    func cancelledConnect() async throws {
        try await withSilentServer { url in
            let task = Task { try await WebSocket.connect(to: url) }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("Fifty unanswered attempts don't hold up another one for long")
    func manyAttempts() async throws {
        let server = try LoopbackServer(script: Script.echo)
        defer { server.stop() }
        try await withSilentServer { url in
            let waiting = (0..<50).map { _ in Task { try await WebSocket.connect(to: url) } }
            try await Task.sleep(for: .milliseconds(10))
            let socket = try await WebSocket.connect(to: server.url())
            #expect(socket.isConnected)
            socket.abort()
            for task in waiting { task.cancel() }
            for task in waiting {
                await #expect(throws: CancellationError.self) { try await task.value }
            }
        }
    }

    @Test("Connecting throws the same errors as the blocking call")
    func connectErrors() async throws {
        let error = await asyncFailure { try await WebSocket.connect(to: "http://localhost/") }
        guard case WebSocketError.invalidURL? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        var options = ConnectOptions()
        options.timeouts.handshake = .milliseconds(50)
        try await withSilentServer { url in
            let error = await asyncFailure {
                try await WebSocket.connect(to: url, options: options)
            }
            guard case WebSocketError.timedOut(.handshake)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("withConnection closes its connection cleanly when it is left")
    func scope() async throws {
        let closes = Locked<[[UInt8]]>([])
        let server = try LoopbackServer { connection in
            let payload = try connection.receiveClose()
            closes.withLock { $0.append(payload) }
            try connection.write(WireFrame(.close, payload))
        }
        defer { server.stop() }
        let result = try await WebSocket.withConnection(to: server.url()) { socket in
            socket.isConnected
        }
        #expect(result)
        struct Stop: Error {}
        let error = await asyncFailure {
            try await WebSocket.withConnection(to: server.url()) { _ in throw Stop() }
        }
        #expect(error is Stop)
        let task = Task {
            try await WebSocket.withConnection(to: server.url()) { socket in
                _ = try await socket.receive()
            }
        }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        // 1000, and 1001 twice, unless the last was cancelled while connecting.
        let codes = closes.withLock { $0.map { Array($0.prefix(2)) } }
        #expect(Array(codes.prefix(2)) == [[0x03, 0xE8], [0x03, 0xE9]])
    }

    @Test("Closing takes no longer than its time-out, in a cancelled task too")
    func closing() async throws {
        let stop = Promise<Void>()
        try await withAsyncSocket { _ in
            try stop.value(within: .seconds(60))
        } client: { socket in
            defer { stop.fulfil() }
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await socket.close(timeout: .milliseconds(50))
            }
            task.cancel()
            let answer = try await task.value
            #expect(answer == nil)
            #expect(!socket.isConnected)
        }
    }

    @Test("Closing ends the calls of other tasks")
    func closingOthers() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            let receiver = Task { try await socket.receive() }
            try await Task.sleep(for: .milliseconds(20))
            #expect(try await socket.close(reason: "done")?.code == .normalClosure)
            let error = await asyncFailure { try await receiver.value }
            #expect((error as? WebSocketError)?.closure != nil)
        }
    }

    @Test("Aborting ends calls that wait")
    func aborting() async throws {
        let stop = Promise<Void>()
        try await withAsyncSocket { _ in
            try stop.value(within: .seconds(60))
        } client: { socket in
            defer { stop.fulfil() }
            let receiver = Task { try await socket.receive() }
            let second = Task { try await socket.receive() }
            let sender = Task {
                try await socket.send(binary: [UInt8](repeating: 1, count: 32 << 20))
            }
            try await Task.sleep(for: .milliseconds(50))
            socket.abort()
            for error in [
                await asyncFailure { try await receiver.value },
                await asyncFailure { try await second.value },
                await asyncFailure { try await sender.value },
            ] {
                #expect((error as? WebSocketError)?.isAborted == true)
            }
        }
    }

    @Test("Blocking and async calls can be mixed on one socket")
    func mixed() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            let count = 500
            let blockingSender = Background {
                for number in 0..<count { try socket.send("b\(number)") }
            }
            let asyncSender = Task {
                for number in 0..<count { try await socket.send("a\(number)") }
            }
            let received = Locked<[String]>([])
            let blockingReceiver = Background {
                for _ in 0..<count {
                    let text = try socket.receive().string ?? ""
                    received.withLock { $0.append(text) }
                }
            }
            for _ in 0..<count {
                let text = try await socket.receive().string ?? ""
                received.withLock { $0.append(text) }
            }
            try await asyncSender.value
            try await Self.joined(blockingSender)
            try await Self.joined(blockingReceiver)
            let texts = received.withLock { $0 }
            #expect(texts.count == 2 * count)
            #expect(Set(texts).count == 2 * count)
        }
    }

    @concurrent
    private static func joined(_ thread: Background<Void>) async throws { try thread.join() }

    @Test("Bytes that a blocking call has read ahead reach the waiting task")
    func readAhead() async throws {
        let go = Promise<Void>()
        try await withAsyncSocket { connection in
            try go.value(within: .seconds(60))
            try connection.send(text: "one")
            try connection.send(text: "two")
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            for _ in 0..<2 {
                async let first = socket.receive()
                let thread = Background { try socket.receive() }
                try await Task.sleep(for: .milliseconds(20))
                go.fulfil()
                let messages = [try await first, try await Self.received(thread)]
                #expect(Set(messages) == [.text("one"), .text("two")])
                break
            }
        }
    }

    @concurrent
    private static func received(_ thread: Background<Message>) async throws -> Message {
        try thread.join()
    }

    private final class Counting: WebSocket, @unchecked Sendable {
        // Safe to send: its own state has a lock.
        let frames = Locked(0)
        override func receiveFrame() throws -> Frame {
            let frame = try super.receiveFrame()
            frames.withLock { $0 += 1 }
            return frame
        }
        override func send(frame: Frame) throws -> Int {
            frames.withLock { $0 += 1 }
            return try super.send(frame: frame)
        }
    }

    @Test(
        "A subclass's overrides are called, and a cancelled receive loses nothing there either"
    )
    func subclass() async throws {
        try await withAsyncSocket(as: Counting.self, server: Script.echo) { socket in
            let counting = try #require(socket as? Counting)
            try await socket.send("one")
            #expect(try await socket.receive() == .text("one"))
            #expect(counting.frames.withLock { $0 } == 2)
            let task = Task { try await socket.receive() }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await socket.send(binary: [2])
            #expect(try await socket.receive() == .binary([2]))
            #expect(try await socket.sendBatch(["a", "b"]) == 2)
            #expect(try await socket.next() == .text("a"))
            try await socket.forEachMessage { _, payload in
                #expect(payload.byteCount == 1)
                return false
            }
            try await socket.ping()
            #expect(try await socket.close()?.code == .normalClosure)
        }
    }

    @Test("Two hundred idle connections wait on one thread", .alone)
    func idleConnections() async throws {
        let server = try LoopbackServer { connection in
            let (_, payload) = try connection.receive()
            try connection.send(binary: payload)
            try connection.flush()
            connection.waitForEnd()
        }
        defer { server.stop() }
        // The server has a thread for each.
        let count = 200
        let sockets = try await withThrowingTaskGroup(of: WebSocket.self) { group in
            for _ in 0..<count { group.addTask { try await WebSocket.connect(to: server.url()) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let threads = Descriptors.threads
        let receivers = sockets.map { socket in Task { try await socket.receive() } }
        for socket in sockets {
            while socket.connection?.tasks.load()?.readiness.receiving.awaited == nil {
                await Task.yield()
            }
        }
        #expect(Descriptors.threads <= threads + 8)
        for socket in sockets { try await socket.send("x") }
        for receiver in receivers { _ = try await receiver.value }
        for socket in sockets { socket.abort() }
    }
}
