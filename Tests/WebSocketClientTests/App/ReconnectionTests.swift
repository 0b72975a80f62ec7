import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Reconnecting", .blocking)
struct ReconnectionTests {
    @Test("Each drop is reported by one error and one close, and onReconnect follows")
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
            onClose: { app, _, _ in if journal.count(of: "close") == 3 { app.close() } }
        )
        #expect(try app.runForever(reconnect: .every(.milliseconds(1))) == true)
        let drop = [
            "error The connection is closed (code 4000, \"again\").", "close 4000 again",
        ]
        #expect(
            journal.entries == ["open"] + drop + ["reconnect"] + drop + ["reconnect"] + drop
        )
    }

    @Test("After a clean close by the peer the app reconnects, without an error")
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
            onClose: { app, _, _ in if journal.count(of: "close") == 2 { app.close() } }
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
                    app.close()
                }
            }
        )
        let (_, time) = try timed { try app.runForever(reconnect: .every(.endless)) }
        #expect(time < .ample)
        #expect(connections.load(ordering: .relaxed) == 1)
    }

    @Test("The app gives up after the limit of attempts, and reports each")
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

    @Test(
        "The plan's function gets error, attempt and delay, and chooses the delay or gives up"
    )
    func chosenDelay() throws {
        let server = try LoopbackServer { connection in
            try connection.sendClose(code: 1008, reason: "")
            _ = try connection.receive()
        }
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp(url: server.url())
        var plan = Reconnection.every(.seconds(600))
        plan.chooseDelay = { error, attempt, proposed in
            guard case .connectionClosed(let end) = error else { return nil }
            journal.note("\(end.code) \(attempt) \(proposed)")
            return attempt < 3 ? .zero : nil
        }
        try app.runForever(reconnect: plan)
        let proposed = "\(Duration.seconds(600))"
        #expect(journal.entries == (1...3).map { "1008 \($0) \(proposed)" })
    }

    /// A refusal of the handshake.
    private func refusal(_ status: Int, retryAfter: String) -> WebSocketError {
        .badStatus(HandshakeResponse(statusCode: status, headers: [.retryAfter: retryAfter]))
    }

    @Test("Retry-After of 429 and 503 is obeyed up to the longest delay", arguments: [429, 503])
    func retryAfter(status: Int) {
        let plan = Reconnection.exponentialBackoff(from: .seconds(1), to: .seconds(60))
        func delay(_ value: String, _ status: Int) -> Duration? {
            plan.delay(
                after: refusal(status, retryAfter: value),
                attempt: 1,
                random: 0,
                now: 784_111_777
            )
        }
        #expect(delay("30", status) == .seconds(30))
        #expect(delay("Sun, 06 Nov 1994 08:49:57 GMT", status) == .seconds(20))
        #expect(delay("600", status) == .seconds(60))
        #expect(delay("99999999999999999999999", status) == .seconds(60))
        // Only if longer than the backoff, and only with these statuses.
        #expect(delay("0", status) == .seconds(1))
        #expect(delay("30", 500) == .seconds(1))
        for value in ["", "soon", "-1", "1.5"] { #expect(delay(value, status) == .seconds(1)) }
    }

    @Test("The plan's function sees Retry-After in the proposed delay, and may ignore it")
    func retryAfterChoice() {
        var plan = Reconnection.every(.seconds(60))
        plan.initialDelay = .seconds(1)
        plan.chooseDelay = { _, _, proposed in proposed == .seconds(30) ? .seconds(5) : nil }
        let error = refusal(503, retryAfter: "30")
        #expect(plan.delay(after: error, attempt: 1, random: 0, now: 0) == .seconds(5))
    }

    @Test("A delay of zero or less is 1 ms, so that no plan makes the app spin")
    func shortestDelay() {
        var plan = Reconnection.every(.zero)
        #expect(plan.delay(after: .aborted, attempt: 1) == .milliseconds(1))
        plan.chooseDelay = { _, _, _ in .seconds(-1) }
        #expect(plan.delay(after: .aborted, attempt: 1) == .milliseconds(1))
        var shrinking = Reconnection.every(.seconds(1))
        shrinking.multiplier = 0.5
        #expect(shrinking.delay(after: .aborted, attempt: 2) == .milliseconds(500))
        #expect(shrinking.delay(after: .aborted, attempt: .max) == .milliseconds(1))
        let longest = Duration(secondsComponent: .max, attosecondsComponent: 0)
        let wait = Reconnection.every(longest).delay(after: .aborted, attempt: 9)
        #expect(wait.map { $0 > .seconds(1 << 40) } == true)
    }

    @Test("After a stable connection, attempts are counted anew")
    func stablePeriod() throws {
        let server = try LoopbackServer { connection in connection.stream.abort() }
        defer { server.stop() }
        let attempts = Journal()
        let app = WebSocketApp(url: server.url())
        var plan = Reconnection.every(.milliseconds(1))
        plan.stablePeriod = .zero
        plan.chooseDelay = { _, attempt, delay in
            attempts.note("\(attempt)")
            return attempts.entries.count < 3 ? delay : nil
        }
        try app.runForever(reconnect: plan)
        #expect(attempts.entries == ["1", "1", "1"])
    }

    @Test("Waits grow up to the maximum, and jitter only shortens them")
    func delays() {
        let plan = Reconnection.exponentialBackoff(from: .seconds(1), to: .seconds(10))
        let longest = (1...6).map { plan.delay(beforeAttempt: $0, random: 0) }
        #expect(longest == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(plan.delay(beforeAttempt: 3, random: 1) == .seconds(2))
        #expect(plan.delay(beforeAttempt: .max, random: 0) == .seconds(10))
        let fixed = Reconnection.every(.seconds(5))
        #expect(fixed.delay(beforeAttempt: 1_000_000, random: 0.9) == .seconds(5))
    }

    @Test("Extreme values don't trap", arguments: [.nan, .infinity, -1, 0, 1e300] as [Double])
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
