import LoopbackServer
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Apps in tasks", .blocking)
struct AsyncAppTests {
    @Test("A run ends when the app is closed, and the task goes on")
    func closing() async throws {
        let server = try LoopbackServer(script: Script.echo)
        defer { server.stop() }
        let texts = Locked<[String]>([])
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in try app.send("hello") },
            onMessage: { app, message in
                texts.withLock { $0.append(message.string ?? "") }
                app.close()
            }
        )
        try await app.run()
        #expect(texts.withLock { $0 } == ["hello"])
        // It can run again.
        try await app.run()
        #expect(texts.withLock { $0 } == ["hello", "hello"])
    }

    @Test("Cancelling the task closes the connection")
    func cancelling() async throws {
        let closed = Promise<[UInt8]>()
        let server = try LoopbackServer { connection in
            let payload = try connection.receiveClose()
            try connection.write(WireFrame(.close, payload))
            closed.fulfil(payload)
        }
        defer { server.stop() }
        let isOpen = Promise<Void>()
        let app = WebSocketApp(url: server.url(), onOpen: { _ in isOpen.fulfil() })
        let task = Task { try await app.run() }
        try await isOpen.awaited()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await closed.awaited() == [0x03, 0xE8])
    }

    @Test("Cancelling the task before or while the app connects ends it soon")
    func cancellingEarly() async throws {
        let listener = try Listener(port: 0)
        defer { listener.close() }
        for pause in [0, 20] {
            let app = WebSocketApp(url: "ws://127.0.0.1:\(listener.port)/")
            let task = Task { try await app.run() }
            try await Task.sleep(for: .milliseconds(pause))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
