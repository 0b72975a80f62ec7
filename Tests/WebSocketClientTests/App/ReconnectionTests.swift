import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Reconnecting", .blocking)
struct ReconnectionTests {
    @Test("Each drop is told by one error and one close, and onReconnect follows")
    func drops() throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: 4000, reason: "again")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onClose: { app, _, _ in if journal.count(of: "close") == 3 { try app.close() } }
        )
        #expect(try app.runForever(reconnect: .every(.milliseconds(1))) == true)
        let drop = [
            "error The connection is closed (code 4000, \"again\").", "close 4000 again",
        ]
        #expect(
            journal.entries == ["open"] + drop + ["reconnect"] + drop + ["reconnect"] + drop
        )
    }

    @Test("A clean close by the peer is followed by another connection, and is no error")
    func cleanClose() throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: 1000, reason: "")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onClose: { app, _, _ in if journal.count(of: "close") == 2 { try app.close() } }
        )
        #expect(try app.runForever(reconnect: .every(.milliseconds(1))) == false)
        #expect(journal.entries == ["open", "close 1000 ", "reconnect", "close 1000 "])
    }

    @Test("close() ends a wait at once, and no further connection is made")
    func closeWhileWaiting() throws {
        let connections = Atomic<Int>(0)
        let server = try LoopbackServer { connection in
            connections.add(1, ordering: .relaxed)
            connection.stream.abort()
        }
        defer { server.stop() }
        let app = WebSocketApp(
            url: server.url(),
            onClose: { app, _, _ in
                try Threads.start {
                    pause(.milliseconds(100))
                    try? app.close()
                }
            }
        )
        let (_, time) = try timed { try app.runForever(reconnect: .every(.endless)) }
        #expect(time < .ample)
        #expect(connections.load(ordering: .relaxed) == 1)
    }

    @Test("The app gives up after the limit of attempts, each told")
    func limit() throws {
        let server = try LoopbackServer()
        server.stop()
        let journal = Journal()
        let app = WebSocketApp.noting(in: journal, url: server.url())
        #expect(
            try app.runForever(reconnect: .every(.milliseconds(1), maximumAttempts: 4)) == true
        )
        #expect(journal.count(of: "error") == 5)
        #expect(journal.count(of: "close 1006") == 5)
    }

    @Test("The predicate is asked with the error and the attempt, and may refuse")
    func predicate() throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: 1008, reason: "")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp(url: server.url())
        try app.runForever(
            reconnect: .exponentialBackoff(from: .milliseconds(1)) { error, attempt in
                guard case .connectionClosed(let closure) = error else { return false }
                journal.note("\(closure.code) \(attempt)")
                return attempt < 3
            }
        )
        #expect(journal.entries == ["1008 1", "1008 2", "1008 3"])
    }

    @Test("A stable connection lets the attempts be counted anew")
    func stablePeriod() throws {
        let server = try LoopbackServer { connection in connection.stream.abort() }
        defer { server.stop() }
        let attempts = Journal()
        let app = WebSocketApp(url: server.url())
        var plan = Reconnection.every(.milliseconds(1))
        plan.stablePeriod = .zero
        plan.shouldReconnect = { _, attempt in
            attempts.note("\(attempt)")
            return attempts.entries.count < 3
        }
        try app.runForever(reconnect: plan)
        #expect(attempts.entries == ["1", "1", "1"])
    }

    @Test("Waits grow up to the cap, and jitter only shortens them")
    func delays() {
        let plan = Reconnection.exponentialBackoff(from: .seconds(1), to: .seconds(10))
        let longest = (1...6).map { plan.delay(beforeAttempt: $0, random: 0) }
        #expect(longest == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(plan.delay(beforeAttempt: 3, random: 1) == .seconds(2))
        #expect(plan.delay(beforeAttempt: .max, random: 0) == .seconds(10))
        let fixed = Reconnection.every(.seconds(5))
        #expect(fixed.delay(beforeAttempt: 1_000_000, random: 0.9) == .seconds(5))
    }

    @Test("Odd figures don't trap", arguments: [.nan, .infinity, -1, 0, 1e300] as [Double])
    func oddFigures(figure: Double) {
        var plan = Reconnection.exponentialBackoff()
        plan.multiplier = figure
        plan.jitter = figure
        for attempt in [0, 1, 2, 1000] {
            let delay = plan.delay(beforeAttempt: attempt, random: 0.5)
            #expect(delay >= .zero && delay <= plan.maximumDelay)
        }
    }
}
