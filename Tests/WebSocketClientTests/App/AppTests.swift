import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("WebSocketApp", .blocking)
struct AppTests {
    @Test("A message goes there and back, and closing in a callback ends the run without an error")
    func echo() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { try $0.send("hello") },
            onMessage: { app, _ in try app.close(code: .normalClosure, reason: "done") }
        )
        #expect(try app.runForever() == false)
        #expect(journal.entries == ["open", "text hello", "close 1000 "])
        #expect(!app.isRunning)
        #expect(!app.hasErrored)
    }

    @Test("A close with an error code is one error and one close, with code and reason")
    func peerCloses() throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: 4001, reason: "see ya")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(try app.runForever() == true)
        #expect(
            journal.entries == [
                "open", "error The connection is closed (code 4001, \"see ya\").",
                "close 4001 see ya",
            ]
        )
    }

    @Test("A clean close by the peer isn't an error", arguments: [1000, 1001] as [UInt16])
    func orderlyClose(code: UInt16) throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: code, reason: "")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(try app.runForever() == false)
        #expect(journal.entries == ["open", "close \(code) "])
    }

    @Test("A lost connection is one error, and a close with 1006")
    func lostConnection() throws {
        let server = try LoopbackServer { connection in connection.stream.abort() }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(try app.runForever() == true)
        #expect(journal.count(of: "error") == 1)
        #expect(journal.entries.last == "close 1006 ")
    }

    @Test("A connection that can't be opened is one error and one close")
    func refused() throws {
        let server = try LoopbackServer()
        server.stop()
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(try app.runForever() == true)
        #expect(journal.entries.count == 2)
        #expect(journal.count(of: "error No connection to 127.0.0.1") == 1)
        #expect(journal.entries.last == "close 1006 ")
    }

    @Test("A peer that breaks the protocol gets a close frame, and it is one error")
    func violation() throws {
        let told = Locked<UInt16?>(nil)
        let server = try LoopbackServer { connection in
            try connection.write([0xF1, 0x00])
            let piece = try connection.nextPiece()
            told.withLock { $0 = UInt16(piece.bytes[0]) << 8 | UInt16(piece.bytes[1]) }
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(try app.runForever() == true)
        #expect(journal.count(of: "error The peer set a reserved bit") == 1)
        #expect(journal.count(of: "error") == 1)
        #expect(told.withLock { $0 } == 1002)
    }

    @Test("An error thrown by a callback goes to onError, and the run goes on")
    func throwingCallback() throws {
        struct Trouble: Error {}
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try app.send("one")
                try app.send("two")
            },
            onMessage: { app, message in
                if message == .text("one") { throw Trouble() }
                app.close()
            }
        )
        #expect(try app.runForever() == false)
        #expect(
            journal.entries == ["open", "text one", "error Trouble()", "text two", "close 1000 "]
        )
    }

    @Test("Pings are answered and reported, and pongs are reported")
    func controlFrames() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.ping, [1, 2])
            let piece = try connection.nextPiece()
            #expect(piece.opcode == .pong)
            #expect(Array(piece.bytes) == [1, 2])
            try connection.send(.pong, [3])
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        app.onPong = { app, payload in
            journal.note("pong \(payload)")
            app.close()
        }
        #expect(try app.runForever() == false)
        #expect(journal.entries == ["open", "ping [1, 2]", "pong [3]", "close 1000 "])
    }

    @Test(
        "onData is called before onMessage; with onContinuation, fragments are delivered as they arrive"
    )
    func fragments() throws {
        let server = try LoopbackServer { connection in
            try connection.send(.text, Array("Hel".utf8), isFinal: false)
            try connection.send(.continuation, Array("lo".utf8), isFinal: true)
            _ = try connection.receive()
        }
        defer { server.stop() }
        let whole = Journal()
        let app = WebSocketApp.noting(in: whole, url: server.url())
        app.onData = { _, payload, opcode, isFinal in
            whole.note("data \(payload.count) \(opcode) \(isFinal)")
        }
        app.onMessage = { app, message in
            whole.note("\(message)")
            app.close()
        }
        try app.runForever()
        #expect(
            whole.entries == ["open", "data 5 text true", "Hello", "close 1000 "]
        )

        let parts = Journal()
        let other = WebSocketApp.noting(in: parts, url: server.url())
        other.onContinuation = { app, payload, isFinal in
            parts.note("continuation \(payload.count) \(isFinal)")
            app.close()
        }
        try other.runForever()
        #expect(parts.entries == ["open", "text Hel", "continuation 2 true", "close 1000 "])
    }

    @Test("The header fields are made anew for each attempt")
    func headerClosure() throws {
        let seen = Journal()
        let server = try LoopbackServer { connection in
            seen.note(connection.headers["X-Attempt"] ?? "none")
            connection.stream.abort()
        }
        defer { server.stop() }
        let attempts = Atomic<Int>(0)
        let app = WebSocketApp(
            url: server.url(),
            header: .init(perAttempt: {
                let number = attempts.wrappingAdd(1, ordering: .relaxed).newValue
                return ["X-Attempt": "\(number)"]
            })
        )
        try app.runForever(reconnect: .every(.milliseconds(1), maximumAttempts: 2))
        #expect(seen.entries == ["1", "2", "3"])
    }

    @Test("Invalid arguments are refused before anything happens")
    func invalidArguments() throws {
        let app = WebSocketApp(url: "ws://127.0.0.1:1/")
        #expect(throws: WebSocketError.self) {
            try app.runForever(pingInterval: .seconds(5), pingTimeout: .seconds(5))
        }
        #expect(throws: WebSocketError.self) {
            try app.runForever(pingInterval: .seconds(5), pingTimeout: .zero)
        }
        #expect(throws: WebSocketError.self) { try app.runForever(pingInterval: .seconds(-1)) }
        #expect(throws: WebSocketError.self) { try app.runForever(httpProxyHost: "localhost") }
        #expect(throws: WebSocketError.self) {
            try app.close(code: CloseCode(rawValue: 1005))
        }
        #expect(!app.isRunning)
    }

    @Test("Without a connection, sending throws")
    func sendUnconnected() {
        let app = WebSocketApp(url: "ws://127.0.0.1:1/")
        #expect(throws: WebSocketError.self) { try app.send("x") }
    }

    @Test("A running app can't be run again until it has ended")
    func runTwice() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                #expect(throws: WebSocketError.self) { try app.runForever() }
                journal.note("open")
                app.close()
            }
        )
        try app.runForever()
        try app.runForever()
        #expect(journal.entries == ["open", "open"])
    }

    @Test("After a send has timed out, the app sends the rest by itself once the peer reads")
    func restAfterTimeOut() throws {
        let mayRead = Promise<Void>()
        let size = 16 << 20
        let received = Promise<Int>()
        let server = try LoopbackServer { connection in
            try mayRead.value()
            received.fulfil(try connection.receive().payload.count)
            connection.waitForEnd()
        }
        defer { server.stop() }
        let isAccepted = Promise<Bool?>()
        let arrived = Promise<Int>()
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { app in
                try Threads.start {
                    let error = failure {
                        try app.send(binary: [UInt8](repeating: 1, count: size))
                    }
                    isAccepted.fulfil(error?.isAccepted)
                    mayRead.fulfil()
                    // Before closing, which sends the rest as well.
                    arrived.fulfil(with: { try received.value(within: .ample) })
                    app.close()
                }
            }
        )
        app.options.timeouts.send = .milliseconds(100)
        try app.runForever()
        #expect(try isAccepted.value() == true)
        #expect(try arrived.value() == size)
    }
}
