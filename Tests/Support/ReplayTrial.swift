package import WebSocketClient

/// An app that numbers its messages and replays them, over a relay that cuts each connection at a random byte.
package struct ReplayTrial {
    /// How often the relay cuts.
    package var cuts: Int
    package var seed: UInt64
    /// The most bytes that a connection carries, both directions together, before it is cut.
    package var longestConnection = 40_000

    package init(cuts: Int, seed: UInt64) {
        self.cuts = cuts
        self.seed = seed
    }

    /// The app's view at the end.
    package struct Outcome: Sendable {
        /// How many messages it accepted, numbered from 0.
        package var sent = 0
        package var cuts = 0
        package var status = ReplayStatus()
        /// The numbers of the messages that were about to be sent again.
        package var resent: Set<Int> = []
        package var errors: [String] = []
    }

    private struct State {
        var cuts = 0
        var plan = RelayPlan(.none)
        var generator: SeededGenerator
        var outcome = Outcome()
    }

    /// Sends until the relay has cut often enough and everything has been acknowledged.
    ///
    /// - Parameters:
    ///   - relay: The relay in front of the receiver.
    ///   - url: The URL of the receiver at the relay's port.
    ///   - options: The options of the app.
    ///   - run: Runs the app until it has been closed.
    package func run(
        over relay: FaultyRelay,
        url: String,
        options: ConnectOptions,
        running run: @escaping @Sendable (WebSocketApp) throws -> Void = { try $0.runForever() }
    ) throws -> Outcome {
        let (cuts, longest) = (cuts, longestConnection)
        let state = Locked(State(generator: SeededGenerator(state: seed)))
        let plan = { @Sendable in
            state.withLock { state in
                if state.plan.hasStruck { state.cuts += 1 }
                let offset = Int.random(in: 0..<longest, using: &state.generator)
                state.plan = RelayPlan(state.cuts < cuts ? .cut : .none, behind: offset)
                relay.follow(state.plan)
            }
        }
        plan()
        let app = WebSocketApp(url: url, onClose: { _, _, _ in plan() }, options: options)
        app.reconnection = .every(.milliseconds(1))
        app.replay = .unacknowledged(limit: 200_000) { kept in
            if kept.timesSent > 0, let number = Self.number(of: kept.message.bytes) {
                state.withLock { _ = $0.outcome.resent.insert(number) }
            }
            return kept.message
        }
        let running = Background { try run(app) }
        while !app.isRunning { pause(.milliseconds(1)) }
        var generator = SeededGenerator(state: seed ^ 1)
        var number = 0
        while state.withLock({ $0.cuts }) < cuts {
            try send(number, through: app, &generator)
            number += 1
        }
        try app.waitUntilAcknowledged(timeout: .seconds(300))
        app.close()
        try running.join()
        return state.withLock { state in
            state.outcome.sent = number
            state.outcome.cuts = state.cuts
            state.outcome.status = app.replayStatus
            return state.outcome
        }
    }

    /// Text, binary, prepared and in fragments, of few bytes and of many.
    private func send(
        _ number: Int,
        through app: WebSocketApp,
        _ generator: inout SeededGenerator
    ) throws {
        let digits = String(number)
        let text = String(repeating: "0", count: 8 - digits.utf8.count) + digits
        let bytes = Array(text.utf8)
        let isLarge = Int.random(in: 0..<40, using: &generator) == 0
        let filler = generator.message(
            Int.random(in: 0..<(isLarge ? 30_000 : 900), using: &generator)
        )
        switch number % 4 {
        case 0: try app.send(binary: bytes + filler)
        case 1: try app.send(text + String(repeating: "replayed ", count: filler.count / 9))
        case 2: try app.send(PreparedMessage(binary: bytes + filler))
        default:
            let cut = filler.count / 2
            try app.send(fragments: [bytes, Array(filler[..<cut]), Array(filler[cut...])])
        }
    }

    /// The number that a message begins with.
    package static func number(of message: [UInt8]) -> Int? {
        Int(String(decoding: message.prefix(8), as: UTF8.self))
    }

    /// The faults in the numbers that the receiver got, by connection, in the order of connections.
    package static func faults(in received: [[Int]], after outcome: Outcome) -> [String] {
        var faults = outcome.errors
        // The next number to come: a connection may begin with an earlier one, but may not skip it.
        var next = 0
        var seen: Set<Int> = []
        var duplicates = 0
        for (index, numbers) in received.enumerated() {
            if let first = numbers.first, first > next {
                faults.append("connection \(index) began with \(first), and \(next) was missing")
            }
            for (former, number) in zip(numbers, numbers.dropFirst()) where number != former + 1 {
                faults.append("connection \(index) went from \(former) to \(number)")
            }
            for number in numbers where !seen.insert(number).inserted {
                duplicates += 1
                if !outcome.resent.contains(number) {
                    faults.append("\(number) came twice, and was not reported")
                }
            }
            next = max(next, (numbers.last ?? -1) + 1)
        }
        let lost = (0..<outcome.sent).filter { !seen.contains($0) }
        if !lost.isEmpty { faults.append("\(lost.count) were lost: \(lost.prefix(5))") }
        if seen.count + lost.count != outcome.sent { faults.append("more came than were sent") }
        if duplicates > outcome.status.sentAgain {
            faults.append("\(duplicates) duplicates, \(outcome.status.sentAgain) reported")
        }
        if outcome.status.keptMessages != 0 || outcome.status.keptBytes != 0 {
            faults.append("something is kept: \(outcome.status)")
        }
        if outcome.status.acknowledgedMessages != outcome.sent {
            faults.append("acknowledged: \(outcome.status.acknowledgedMessages)")
        }
        return faults
    }
}
