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
        "close() from any callback ends the run; all callbacks run on its thread",
        arguments: Callback.allCases
    )
    func fromCallback(callback: Callback) throws {
        let connections = Atomic<Int>(0)
        let server = try LoopbackServer { connection in
            // The first connection drops at once if a later callback is tested.
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
        #expect(journal.entries == ["open", "close 3001 "])
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
            onOpen: { $0.close(timeout: .milliseconds(200)) }
        )
        app.options.timeouts.close = .endless
        let (errored, time) = try timed { try app.runForever() }
        #expect(!errored)
        #expect(time >= .milliseconds(200) && time < .ample)
        #expect(journal.entries == ["open", "close 1006 "])
    }

    @Test(
        "close() ends the run within its time-out although a send is stuck, and the send ends too"
    )
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
                    app.close(timeout: .milliseconds(300))
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

    @Test("close() ends an attempt to connect at once, from wherever it is called")
    func whileConnecting() throws {
        // A listener that never answers the handshake.
        let listener = try Listener()
        defer { listener.close() }
        var options = ConnectOptions()
        options.timeouts = Timeouts(all: .endless)
        for round in 0..<10 {
            let journal = Journal()
            let app = WebSocketApp.noting(
                in: journal,
                url: "ws://127.0.0.1:\(listener.port)/",
                options: options
            )
            try Threads.start {
                while app.socket == nil { pause(.microseconds(10)) }
                if round % 2 == 0 { pause(.milliseconds(20)) }
                app.close()
            }
            let (errored, time) = try timed { try app.runForever() }
            #expect(!errored)
            #expect(time < .ample)
            #expect(journal.entries == ["close 1006 "])
        }
    }

    @Test("close() at any moment of connecting takes effect, and nothing is delivered after it")
    func anyMoment() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        for round in 0..<100 {
            let journal = Journal()
            let app = WebSocketApp.noting(in: journal, url: server.url())
            try Threads.start {
                while !app.isRunning { pause(.microseconds(10)) }
                pause(.microseconds(Int64(round) * 20))
                app.close()
            }
            #expect(try app.runForever(reconnect: .every(.zero)) == false)
            #expect(!app.isRunning && app.socket == nil)
            let expected = [[], ["close 1006 "], ["open", "close 1000 "]]
            #expect(expected.contains(journal.entries))
        }
    }

    /// Closes the app when it is released.
    private final class Closer: Sendable {
        let app: WebSocketApp
        init(_ app: WebSocketApp) { self.app = app }
        deinit { app.close() }
    }

    @Test("Replaced callbacks and options may use the app while they are released")
    func replaced() throws {
        let app = WebSocketApp(url: "ws://127.0.0.1:1/")
        let socket = WebSocket()
        let done = Promise<Void>()
        try Threads.start {
            done.fulfil {
                let callback = { @Sendable (closer: Closer) -> WebSocketApp.MessageCallback in
                    { _, _ in _ = closer }
                }
                let key = { @Sendable (owner: any Sendable) -> @Sendable () -> UInt32 in
                    { withExtendedLifetime(owner) { 0 } }
                }
                let plan = { @Sendable (closer: Closer) -> Reconnection in
                    var plan = Reconnection.every(.seconds(1))
                    plan.chooseDelay = { _, _, delay in withExtendedLifetime(closer) { delay } }
                    return plan
                }
                app.onMessage = callback(Closer(app))
                app.onMessage = nil
                app.options.maskingKey = key(Closer(app))
                app.options.maskingKey = nil
                app.reconnection = plan(Closer(app))
                app.reconnection = nil
                socket.options.maskingKey = key(SocketUser(socket))
                socket.options.maskingKey = nil
            }
        }
        try done.value()
    }

    /// Uses the socket when it is released.
    private final class SocketUser: Sendable {
        let socket: WebSocket
        init(_ socket: WebSocket) { self.socket = socket }
        deinit { socket.abort() }
    }
}
