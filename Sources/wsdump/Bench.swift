import Dispatch
import Synchronization
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// Sends messages to an echo server and measures how fast they come back.
struct Bench {
    /// The size and number of the messages to send.
    struct Load: Equatable {
        var size: Int
        var count: Int
        var window: Int

        /// Reads a text such as "64KiBx10000"; `nil` if it isn't a size and a count.
        init?(_ text: String, window: Int) {
            let parts = text.lowercased().split { "x*×".contains($0) }
            guard parts.count == 2, let size = ByteCount(argument: String(parts[0])),
                let count = Int(parts[1]), count > 0, window > 0
            else { return nil }
            self.size = size.bytes
            self.count = count
            self.window = window
        }
    }

    /// The result of a measurement.
    struct Result {
        let load: Load
        let duration: Duration
        /// The round trip times of the messages, ascending.
        let roundTrips: [Duration]

        init(load: Load, duration: Duration, roundTrips: [Duration]) {
            self.load = load
            self.duration = duration
            self.roundTrips = roundTrips.sorted()
        }

        var count: Int { roundTrips.count }

        /// The smallest time that `percent` percent of the messages didn't exceed.
        func percentile(_ percent: Double) -> Duration {
            guard !roundTrips.isEmpty else { return .zero }
            let rank = (Double(count) * percent / 100).rounded(.up)
            return roundTrips[min(max(Int(rank) - 1, 0), count - 1)]
        }

        /// Finite, even if the clock hasn't moved.
        var messagesPerSecond: Double { Double(count) / max(duration / .seconds(1), 1e-9) }
        var bytesPerSecond: Double { messagesPerSecond * Double(load.size) }
    }

    let target: Target
    let load: Load
    let isJSON: Bool
    let console: Console

    /// Runs it, and returns the exit status.
    func run() -> Int32 {
        do {
            let result = try measure()
            Terminal.write(try Report.text(result, isJSON: isJSON) + "\n")
            guard result.count < load.count else { return 0 }
            console.note("wsdump: interrupted after \(result.count) of \(load.count) messages")
            return 130
        } catch {
            console.note("wsdump: \(error)")
            return 1
        }
    }

    private func measure() throws -> Result {
        let socket = try WebSocket.connect(to: target.url, options: target.options)
        let isInterrupted = Atomic<Bool>(false)
        let interruption = try SignalWatch(SIGINT) {
            isInterrupted.store(true, ordering: .relaxed)
            socket.abort()
        }
        defer { withExtendedLifetime(interruption) {} }
        let sender = BenchSender(load)
        let start = ContinuousClock.now
        try Threads.start { sender.send(to: socket) }
        defer { sender.stop() }
        var roundTrips: [Duration] = []
        do {
            try receive(socket, sender, &roundTrips)
        } catch {
            guard isInterrupted.load(ordering: .relaxed), !roundTrips.isEmpty else { throw error }
        }
        let duration = start.duration(to: .now)
        try socket.close()
        return Result(load: load, duration: duration, roundTrips: roundTrips)
    }

    private func receive(
        _ socket: WebSocket,
        _ sender: BenchSender,
        _ roundTrips: inout [Duration]
    ) throws {
        var progress = ProgressBar(total: load.count)
        defer { progress.finish() }
        for index in 0..<load.count {
            let (_, payload) = try socket.receiveData()
            let now = ContinuousClock.now
            guard payload.count == load.size else {
                throw BenchError.otherSize(expected: load.size, received: payload.count)
            }
            guard payload == sender.payload else { throw BenchError.otherBytes }
            guard let start = sender.takeStart(of: index) else { throw BenchError.tooEarly }
            roundTrips.append(start.duration(to: now))
            progress.advance(to: index + 1, bytes: (index + 1) * load.size, at: now)
        }
    }
}

/// The sending half of a ``Bench``, on a thread of its own, some messages ahead of the receiver.
final class BenchSender: Sendable {
    let payload: [UInt8]
    private let count: Int
    private let starts = Locked<[ContinuousClock.Instant]>([])
    private let isStopped = Atomic<Bool>(false)
    /// How many more messages may be in flight.
    private let credits = DispatchSemaphore(value: 0)

    init(_ load: Bench.Load) {
        payload = (0..<load.size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        count = load.count
        for _ in 0..<min(load.window, load.count) { credits.signal() }
    }

    func send(to socket: WebSocket) {
        for _ in 0..<count {
            credits.wait()
            guard !isStopped.load(ordering: .relaxed) else { return }
            starts.withLock { $0.append(.now) }
            do {
                try socket.send(binary: payload)
            } catch {
                // The receiver gets the same error and reports it.
                return
            }
        }
    }

    /// Returns when a returned message was sent, and lets another one leave; `nil` if it was never
    /// sent.
    func takeStart(of index: Int) -> ContinuousClock.Instant? {
        credits.signal()
        return starts.withLock { $0.indices.contains(index) ? $0[index] : nil }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        credits.signal()
    }
}

/// The evidence that a server doesn't echo.
enum BenchError: Error, CustomStringConvertible {
    case otherSize(expected: Int, received: Int)
    case otherBytes
    case tooEarly

    var description: String {
        switch self {
        case .otherSize(let expected, let received):
            "the server doesn't echo: \(received) bytes came back for \(expected)"
        case .otherBytes: "the server doesn't echo: other bytes came back"
        case .tooEarly: "the server doesn't echo: it sent a message before it got one"
        }
    }
}
