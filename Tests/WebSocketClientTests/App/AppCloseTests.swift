import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Closing a WebSocketApp", .blocking)
struct AppCloseTests {
    enum Callback: CaseIterable {
        case onOpen, onReconnect, onMessage, onData, onContinuation, onPing, onPong, onError,
            onClose
    }

    @Test(
        "close() from any callback ends the run; all come on its thread",
        arguments: Callback.allCases
    )
    func fromCallback(callback: Callback) throws {
        let connections = Atomic<Int>(0)
        let server = try LoopbackServer { connection in
            // The first connection drops at once where a later callback is wanted.
            let number = connections.add(1, ordering: .relaxed).newValue
            if number == 1, [.onReconnect, .onError, .onClose].contains(callback) {
                return connection.stream.abort()
            }
            try connection.send(.text, Array("a".utf8), isFinal: false)
            try connection.send(.continuation, Array("b".utf8))
            try connection.send(.ping, [])
            try connection.send(.pong, [])
            _ = try connection.receive()
        }
        defer { server.stop() }
        let thread = UInt(pthread_self())
        let calls = Atomic<Int>(0)
        let called: @Sendable (WebSocketApp, Callback) throws -> Void = { app, which in
            #expect(UInt(pthread_self()) == thread)
            guard which == callback else { return }
            calls.add(1, ordering: .relaxed)
            try app.close(code: CloseCode(rawValue: 3000), reason: "enough")
        }
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { try called($0, .onOpen) },
            onReconnect: { try called($0, .onReconnect) },
            onMessage: { app, _ in try called(app, .onMessage) },
            onError: { app, _ in try? called(app, .onError) },
            onClose: { app, _, _ in try called(app, .onClose) },
            onPing: { app, _ in try called(app, .onPing) },
            onPong: { app, _ in try called(app, .onPong) },
            onContinuation: { app, _, _ in try called(app, .onContinuation) },
            onData: { app, _, _, _ in try called(app, .onData) }
        )
        let (_, time) = try timed { try app.runForever(reconnect: .every(.milliseconds(1))) }
        #expect(calls.load(ordering: .relaxed) == 1)
        #expect(time < .ample)
        #expect(!app.isRunning)
        #expect(connections.load(ordering: .relaxed) == (callback == .onReconnect ? 2 : 1))
    }

    @Test("close() from another thread ends the run")
    func fromElsewhere() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try Threads.start { try? app.close(code: CloseCode(rawValue: 3001), reason: "bye") }
            }
        )
        #expect(try app.runForever() == false)
        #expect(journal.entries == ["open", "close 3001 bye"])
    }

    @Test("close() ends the run within its time-out if the peer doesn't answer")
    func deafPeer() throws {
        let release = Promise<Void>()
        let server = try LoopbackServer { _ in try release.value() }
        defer {
            release.fulfil()
            server.stop()
        }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { try $0.close(timeout: .milliseconds(200)) }
        )
        app.options.timeouts.close = .endless
        let (errored, time) = try timed { try app.runForever() }
        #expect(!errored)
        #expect(time >= .milliseconds(200) && time < .ample)
        #expect(journal.entries == ["open", "close 1006 "])
    }

    @Test("close() ends the run within its time-out though a send is stuck, which ends too")
    func stuckSend() throws {
        let release = Promise<Void>()
        let server = try LoopbackServer { _ in try release.value() }
        defer {
            release.fulfil()
            server.stop()
        }
        let stuck = Promise<Void>()
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try Threads.start {
                    stuck.fulfil(with: {
                        _ = try app.send(binary: [UInt8](repeating: 1, count: 32 << 20))
                    })
                }
                try Threads.start {
                    pause(.milliseconds(300))
                    try? app.close(timeout: .milliseconds(300))
                }
            }
        )
        app.options.timeouts.close = .endless
        app.options.timeouts.send = .endless
        let (_, time) = try timed { try app.runForever() }
        #expect(time < .ample)
        #expect(journal.entries == ["open", "close 1006 "])
        #expect(throws: WebSocketError.self) { try stuck.value() }
    }

    @Test("close() ends an attempt to connect at once")
    func whileConnecting() throws {
        // A listener that never answers the handshake.
        let listener = try Listener()
        defer { listener.close() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: "ws://127.0.0.1:\(listener.port)/")
        app.options.timeouts = Timeouts(all: .endless)
        try Threads.start {
            // Once its connection is there, it waits for an answer.
            _ = try? listener.accept(until: .ample)
            try? app.close()
        }
        let (errored, time) = try timed { try app.runForever() }
        #expect(!errored)
        #expect(time < .ample)
        #expect(journal.entries == ["close 1006 "])
    }
}
