import Foundation
import TestSupport

/// The client under attack, in a process of its own, whose peak memory is measured.
struct Victim {
    let attack: any Attack
    let port: UInt16
    let calm: CalmServers

    /// How long a call with a time-out of a second may take on a busy machine.
    private static let maximumDuration = Duration.seconds(20)

    /// Makes the attacked call and prints its cost; false if that is too much.
    func run() throws -> Bool {
        try attack.warmUp(calm)
        let before = try Self.peakMemory()
        var result = ""
        let duration = elapsed { result = attack.outcome(port: port, calm: calm) }
        let growth = try Self.peakMemory() - before
        let isFine =
            growth <= attack.maximumGrowth && duration <= Self.maximumDuration
            && attack.expects(result)
        print(
            "\(isFine ? "ok    " : "FAILED") \(attack.words): \(growth) KiB of "
                + "\(attack.maximumGrowth), \(String(format: "%.1f", duration / .seconds(1))) s; \(result)"
        )
        return isFine
    }

    /// The most memory that this process has had, in KiB.
    private static func peakMemory() throws -> Int {
        let bytes = ProcessStatus.figure("VmHWM")
        guard bytes > 0 else { throw SupportError("/proc/self/status has no VmHWM") }
        return bytes / 1024
    }
}
