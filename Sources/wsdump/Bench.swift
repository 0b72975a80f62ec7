import Synchronization
import WebSocketClient

/// Sends messages to an echo server and measures how fast they come back.
struct Bench {
    /// How much of what to send.
    struct Load: Equatable {
        var size: Int
        var count: Int
        var window: Int

        /// Reads a text such as "64KiBx10000"; `nil` if it is none.
        init?(_ text: String, window: Int) {
            let parts = text.lowercased().split { "x*×".contains($0) }
            guard parts.count == 2, let size = Self.bytes(parts[0]), let count = Int(parts[1]),
                count > 0, window > 0
            else { return nil }
            self.size = size
            self.count = count
            self.window = window
        }

        private static func bytes(_ text: Substring) -> Int? {
            let digits = text.prefix { $0.isNumber }
            let units = [
                "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20,
                "mib": 1 << 20, "mb": 1_000_000, "g": 1 << 30, "gib": 1 << 30,
            ]
            guard let number = Int(digits), let unit = units[String(text[digits.endIndex...])]
            else { return nil }
            let (size, overflow) = number.multipliedReportingOverflow(by: unit)
            return overflow || size > 1 << 30 ? nil : size
        }
    }

    /// What was measured.
    struct Result {
        let load: Load
        let duration: Duration
        /// The time of each message from sending to its return, ascending.
        let roundTrips: [Duration]

        init(load: Load, duration: Duration, roundTrips: [Duration]) {
            self.load = load
            self.duration = duration
            self.roundTrips = roundTrips.sorted()
        }

        /// The smallest time that so many per cent of the messages didn't exceed.
        func percentile(_ percent: Double) -> Duration {
            guard !roundTrips.isEmpty else { return .zero }
            let rank = (Double(roundTrips.count) * percent / 100).rounded(.up)
            return roundTrips[min(max(Int(rank) - 1, 0), roundTrips.count - 1)]
        }

        var messagesPerSecond: Double { Double(load.count) / (duration / .seconds(1)) }
        var bytesPerSecond: Double { messagesPerSecond * Double(load.size) }
    }

    let target: Target
    let load: Load
    let isJSON: Bool

    /// Runs it; false if it failed.
    func run() throws -> Bool {
        do {
            print(Report.text(try measure(), isJSON: isJSON))
            return true
        } catch {
            Terminal.write("wsdump: \(Legible.text("\(error)"))\n", to: 2)
            return false
        }
    }

    private func measure() throws -> Result {
        let socket = try WebSocket.connect(to: target.url, options: target.options)
        let times = Mutex<[ContinuousClock.Instant]>([])
        let credits = Credits(load.window)
        let payload = (0..<load.size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let start = ContinuousClock.now
        let count = load.count
        try Threads.start {
            for _ in 0..<count {
                guard credits.take() else { return }
                times.withLock { $0.append(.now) }
                do {
                    try socket.send(binary: payload)
                } catch {
                    // The receiver hears of it too, and tells.
                    return
                }
            }
        }
        defer { credits.close() }
        let roundTrips = try receive(socket, times, credits)
        let duration = start.duration(to: .now)
        try socket.close()
        return Result(load: load, duration: duration, roundTrips: roundTrips)
    }

    private func receive(
        _ socket: WebSocket,
        _ times: borrowing Mutex<[ContinuousClock.Instant]>,
        _ credits: Credits
    ) throws -> [Duration] {
        var roundTrips: [Duration] = []
        var progress = ProgressBar(total: load.count)
        defer { progress.finish() }
        for index in 0..<load.count {
            let (_, payload) = try socket.receiveData()
            guard payload.count == load.size else {
                throw BenchError.notAnEcho(expected: load.size, received: payload.count)
            }
            let sent = times.withLock { $0[index] }
            roundTrips.append(sent.duration(to: .now))
            credits.give()
            progress.advance(to: index + 1, bytes: (index + 1) * load.size)
        }
        return roundTrips
    }
}

enum BenchError: Error, CustomStringConvertible {
    case notAnEcho(expected: Int, received: Int)

    var description: String {
        switch self {
        case .notAnEcho(let expected, let received):
            "the server doesn't echo: \(received) bytes came back for \(expected)"
        }
    }
}
