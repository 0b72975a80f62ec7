import Testing

@testable import WebSocketClient

@Suite("The keepalive of one connection")
struct KeepaliveClockTests {
    private let start = Deadline.after(.seconds(1000))
    private var clock: KeepaliveClock
    private var verdict = KeepaliveClock.Verdict.nothing
    private var traffic = KeepaliveClock.Traffic(
        receivedBytes: 0,
        sentBytes: 0,
        unacknowledgedBytes: 0,
        hasUnsentBytes: false
    )

    init() {
        clock = KeepaliveClock(
            Keepalive(interval: .seconds(30), timeout: .seconds(10)),
            now: start
        )
    }

    private func at(_ seconds: Int) -> Deadline { start.advanced(by: .seconds(seconds)) }

    @Test("The first ping is due after one interval, and the next one interval later")
    mutating func pings() {
        #expect(clock.deadline == at(30))
        verdict = clock.look(traffic, now: at(29))
        #expect(verdict == .nothing)
        verdict = clock.look(traffic, now: at(30))
        #expect(verdict == .ping)
        clock.pinged(traffic, now: at(31))
        #expect(clock.deadline == at(41))
        traffic.receivedBytes = 6
        verdict = clock.look(traffic, now: at(41))
        #expect(verdict == .nothing)
        #expect(clock.deadline == at(61))
        verdict = clock.look(traffic, now: at(61))
        #expect(verdict == .ping)
    }

    @Test("A peer that is silent for the time-out after a ping is lost")
    mutating func silence() {
        clock.pinged(traffic, now: at(30))
        verdict = clock.look(traffic, now: at(39))
        #expect(verdict == .nothing)
        verdict = clock.look(traffic, now: at(40))
        #expect(verdict == .lost)
    }

    @Test("Any byte that arrives after the ping is a sign of life, not only a pong's")
    mutating func anyByte() {
        traffic.receivedBytes = 100
        clock.pinged(traffic, now: at(30))
        traffic.receivedBytes = 101
        verdict = clock.look(traffic, now: at(40))
        #expect(verdict == .nothing)
        // The count may wrap around.
        traffic.receivedBytes = .max
        clock.pinged(traffic, now: at(60))
        traffic.receivedBytes = 0
        verdict = clock.look(traffic, now: at(70))
        #expect(verdict == .nothing)
    }

    @Test("A peer whose system acknowledges bytes before the ping isn't lost until that stops")
    mutating func slowDeparture() {
        traffic.sentBytes = 1_000_000
        traffic.unacknowledgedBytes = 900_000
        traffic.hasUnsentBytes = true
        clock.pinged(traffic, now: at(30))
        for round in 1...5 {
            traffic.unacknowledgedBytes -= 100_000
            verdict = clock.look(traffic, now: at(30 + 10 * round))
            #expect(verdict != .lost)
        }
        verdict = clock.look(traffic, now: at(90))
        #expect(verdict == .lost)
    }

    @Test("Acknowledgements of bytes after the ping say nothing about the ping")
    mutating func behindThePing() {
        traffic.sentBytes = 1000
        clock.pinged(traffic, now: at(30))
        traffic.sentBytes = 900_000
        traffic.unacknowledgedBytes = 100_000
        verdict = clock.look(traffic, now: at(40))
        #expect(verdict == .lost)
    }

    @Test("Without a time-out no silence is too long, and extreme values don't trap")
    mutating func extremes() {
        var patient = KeepaliveClock(Keepalive(interval: .seconds(30)), now: start)
        patient.pinged(traffic, now: at(30))
        verdict = patient.look(traffic, now: at(3000))
        #expect(verdict == .ping)
        let endless = KeepaliveClock(Keepalive(interval: .seconds(Int64.max)), now: start)
        #expect(endless.deadline == .never)
    }
}
