import Foundation
import TestSupport

/// The client under attack, in a process of its own, whose peak memory is measured.
struct Victim {
    let attack: any Attack
    let port: UInt16
    let calm: CalmServers

    /// How often a call that took too long may try again: another process may have had the processor. A
    /// call that a server can hold up is late each time.
    private static let attempts = 5

    /// Makes the attacked call and prints its cost; false if that is too much.
    func run() throws -> Bool {
        try attack.warmUp(calm)
        let before = try Self.peakMemory()
        var result = ""
        var duration = Duration.zero
        for _ in 0..<Self.attempts {
            duration = elapsed { result = attack.outcome(port: port, calm: calm) }
            if duration <= attack.maximumDuration || !attack.expects(result) { break }
        }
        let growth = try Self.peakMemory() - before
        let isFine =
            growth <= attack.maximumGrowth && duration <= attack.maximumDuration
            && attack.expects(result)
        print(
            "\(isFine ? "ok    " : "FAILED") \(attack.words): \(growth) KiB of "
                + "\(attack.maximumGrowth), \(seconds(duration)) of \(seconds(attack.maximumDuration)) s; "
                + result
        )
        return isFine
    }

    private func seconds(_ duration: Duration) -> String {
        String(format: "%.2f", duration / .seconds(1))
    }

    /// The most memory that this process has had, in KiB.
    private static func peakMemory() throws -> Int {
        let bytes = ProcessStatus.figure("VmHWM")
        guard bytes > 0 else { throw SupportError("/proc/self/status has no VmHWM") }
        return bytes / 1024
    }
}
