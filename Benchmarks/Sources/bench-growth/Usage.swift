import Foundation

/// The time, and the processor time of this process.
struct Usage: Sendable {
    var seconds = 0.0
    var cpu = 0.0

    init() {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        for time in [usage.ru_utime, usage.ru_stime] {
            cpu += Double(time.tv_sec) + Double(time.tv_usec) / 1e6
        }
        seconds = ProcessInfo.processInfo.systemUptime
    }

    func since(_ start: Usage) -> Usage {
        var difference = self
        difference.seconds -= start.seconds
        difference.cpu -= start.cpu
        return difference
    }
}

/// How much of this process is in memory.
func residentBytes() -> Int {
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        .split(separator: " ")[1]
    return (pages.flatMap { Int($0) } ?? 0) * Int(getpagesize())
}
