import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Keepalive", .blocking)
struct KeepaliveTests {
    @Test("The first ping comes after one interval, and its round trip is measured")
    func firstPing() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let clock = ContinuousClock()
        let opened = Locked<ContinuousClock.Instant?>(nil)
        let firstPong = Locked<Duration?>(nil)
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { _ in opened.withLock { $0 = clock.now } },
            onPong: { app, _ in
                firstPong.withLock { $0 = opened.withLock { $0 }?.duration(to: clock.now) }
                app.close()
            }
        )
        try app.runForever(pingInterval: .milliseconds(1200), pingTimeout: .milliseconds(1000))
        let elapsed = try #require(firstPong.withLock { $0 })
        #expect(elapsed >= .milliseconds(1160))
        let roundTrip = try #require(app.roundTripTime)
        #expect(roundTrip > .zero && roundTrip < elapsed)
        #expect(app.lastPing != nil && app.lastPong != nil)
    }

    @Test("Pings carry the chosen payload, or a number of their own")
    func payloads() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let app = WebSocketApp(url: server.url())
        let journal = Journal()
        app.onPong = { app, payload in
            journal.note("\(payload)")
            if journal.entries.count == 2 { app.close() }
        }
        try app.runForever(pingInterval: .milliseconds(20), pingPayload: "hi")
        #expect(journal.entries == ["[104, 105]", "[104, 105]"])
        let numbers = Journal()
        app.onPong = { app, payload in
            numbers.note("\(payload)")
            if numbers.entries.count == 2 { app.close() }
        }
        try app.runForever(pingInterval: .milliseconds(20))
        #expect(numbers.entries == ["[0, 0, 0, 1]", "[0, 0, 0, 2]"])
    }

    @Test("A peer that is silent after a ping is lost, and that is one error")
    func silentPeer() throws {
        let server = try LoopbackServer { connection in
            // Reads, so that the system acknowledges, but stays silent.
            while true { _ = try connection.nextPiece() }
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        let (errored, time) = try timed {
            try app.runForever(pingInterval: .milliseconds(1200), pingTimeout: .milliseconds(800))
        }
        #expect(errored)
        #expect(time >= .milliseconds(1960))
        #expect(
            journal.entries == [
                "open", "error Time ran out during the wait for a pong.", "close 1006 ",
            ]
        )
    }

    @Test("A large message that leaves slowly isn't silence, although the ping waits behind it")
    func slowDeparture() throws {
        let server = try LoopbackServer { connection in
            // Reads the bytes slowly, and only then answers: the ping comes last.
            var received = 0
            while received < 6 << 20 {
                let piece = try connection.nextPiece()
                received += piece.bytes.count
                pause(.milliseconds(40))
            }
            while true { _ = try connection.receive() }
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try Threads.start {
                    _ = try? app.send(binary: [UInt8](repeating: 1, count: 6 << 20))
                }
            }
        )
        app.onPong = { app, _ in
            journal.note("pong")
            app.close()
        }
        app.options.socketOptions = [.sendBufferSize(64 << 10)]
        let errored = try app.runForever(
            pingInterval: .milliseconds(2500),
            pingTimeout: .milliseconds(2400)
        )
        #expect(!errored)
        #expect(journal.entries == ["open", "pong", "close 1000 "])
    }

    @Test("A slow callback doesn't count as the peer's silence")
    func busyCallback() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in try app.send("x") },
            onMessage: { _, _ in pause(.seconds(3)) }
        )
        app.onPong = { app, _ in
            journal.note("pong")
            if journal.count(of: "pong") == 2 { app.close() }
        }
        let errored = try app.runForever(
            pingInterval: .milliseconds(2500),
            pingTimeout: .milliseconds(2400)
        )
        #expect(!errored)
    }

    @Test("A peer whose system acknowledges nothing is lost, although the ping never left")
    func stuckPeer() throws {
        let release = Promise<Void>()
        let server = try LoopbackServer { _ in try release.value(within: .endless) }
        defer {
            release.fulfil()
            server.stop()
        }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try Threads.start {
                    _ = try? app.send(binary: [UInt8](repeating: 1, count: 32 << 20))
                }
            }
        )
        let errored = try app.runForever(
            pingInterval: .milliseconds(1600),
            pingTimeout: .milliseconds(1200)
        )
        #expect(errored)
        #expect(journal.count(of: "error Time ran out during the wait for a pong") == 1)
    }

    @Test("A ping interval of zero switches an app's own keepalive off for a run")
    func switchedOff() throws {
        let server = try LoopbackServer { connection in
            // An app that kept pinging would have sent a hundred by then.
            pause(.milliseconds(500))
            try connection.sendClose(code: 1000, reason: "")
            while true {
                let piece = try connection.nextPiece()
                #expect(piece.opcode == .close)
                if piece.opcode == .close { return }
            }
        }
        defer { server.stop() }
        let app = WebSocketApp(url: server.url())
        app.keepalive = Keepalive(interval: .milliseconds(5))
        try app.runForever(pingInterval: .zero)
        #expect(app.lastPing == nil)
    }

    @Test(
        "Intervals that are too short are refused",
        arguments: [.nanoseconds(1), .microseconds(999), .seconds(-1)] as [Duration]
    )
    func tooShort(interval: Duration) {
        #expect(throws: WebSocketError.self) {
            try Keepalive(interval: interval).check()
        }
        #expect(throws: Never.self) {
            try Keepalive(interval: .seconds(Int64.max), timeout: .seconds(1 << 40)).check()
        }
    }
}
