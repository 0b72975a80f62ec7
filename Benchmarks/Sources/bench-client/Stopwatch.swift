import Glibc

/// The time and the processor time since it was made.
struct Stopwatch {
    private let start = Stopwatch.nanoseconds()
    private let before = Stopwatch.usage()

    static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func usage() -> rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    /// The line of JSON that says what a job took.
    func line(for job: Job, peer: String, roundTrips: [Double]) -> String {
        let seconds = Double(Self.nanoseconds() - start) / 1e9
        let after = Self.usage()
        let user = Self.seconds(after.ru_utime) - Self.seconds(before.ru_utime)
        let system = Self.seconds(after.ru_stime) - Self.seconds(before.ru_stime)
        var line = """
            {"peer":"\(peer)","op":"\(job.operation)","type":"\(job.isText ? "text" : "binary")",\
            "size":\(job.size),"count":\(job.count),"seconds":\(seconds),\
            "user_cpu":\(user),"sys_cpu":\(system)
            """
        if !roundTrips.isEmpty {
            let sorted = roundTrips.sorted()
            line += ",\"p50_us\":\(sorted[sorted.count / 2])"
            line += ",\"p99_us\":\(sorted[sorted.count * 99 / 100])"
        }
        return line + "}"
    }
}
