import Foundation

/// What the command line asks for: `nio URL send|recv|rtt binary|text SIZE COUNT`. With `WSBENCH_CALLS=async`
/// in the environment, through the asynchronous channel.
struct Job: Sendable {
    enum Operation: String { case send, recv, rtt }

    var usesTLS: Bool
    var isAsync: Bool
    var host: String
    var port: Int
    var target: String
    var operation: Operation
    var isText: Bool
    var size: Int
    var count: Int
    var payload: [UInt8]

    init?(arguments: [String]) {
        guard arguments.count == 6, let url = URLComponents(string: arguments[1]),
            let host = url.host, let port = url.port,
            let operation = Operation(rawValue: arguments[2]),
            let size = Int(arguments[4]), let count = Int(arguments[5])
        else { return nil }
        let environment = ProcessInfo.processInfo.environment
        self.usesTLS = url.scheme == "wss"
        self.isAsync = environment["WSBENCH_CALLS"] == "async"
        self.host = host
        self.port = port
        self.target = url.path + (url.query.map { "?" + $0 } ?? "")
        self.operation = operation
        self.isText = arguments[3] == "text"
        self.size = size
        self.count = count
        let isText = isText
        self.payload = (0..<size).map { UInt8(isText ? 97 + $0 % 26 : $0 % 251) }
        if let folder = environment["WSBENCH_DATA"] {
            guard
                let file = FileManager.default.contents(atPath: "\(folder)/\(arguments[3])-\(size)")
            else { return nil }
            self.payload = Array(file.prefix(size))
        }
    }
}

/// Measures the time and the processor time of a job, and prints its line of JSON.
struct Stopwatch {
    private let start = ContinuousClock.now
    private let before = Stopwatch.usage()
    /// Microseconds of each round trip.
    var roundTrips: [Double] = []

    mutating func add(roundTripSince sent: ContinuousClock.Instant) {
        roundTrips.append((ContinuousClock.now - sent) / .microseconds(1))
    }

    private static func usage() -> rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    func printLine(for job: Job) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let after = Self.usage()
        let user = Self.seconds(after.ru_utime) - Self.seconds(before.ru_utime)
        let system = Self.seconds(after.ru_stime) - Self.seconds(before.ru_stime)
        var line = """
            {"peer":"NIOWebSocket\(job.isAsync ? ", async" : "")","op":"\(job.operation)","type":"\(job.isText ? "text" : "binary")",\
            "size":\(job.size),"count":\(job.count),\
            "seconds":\(elapsed),"user_cpu":\(user),"sys_cpu":\(system)
            """
        let sorted = roundTrips.sorted()
        if !sorted.isEmpty {
            line += ",\"p50_us\":\(sorted[sorted.count / 2])"
            line += ",\"p99_us\":\(sorted[sorted.count * 99 / 100])"
        }
        print(line + "}")
    }
}
