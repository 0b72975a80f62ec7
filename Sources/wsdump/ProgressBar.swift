/// A bar that grows on standard error, if that is a terminal.
struct ProgressBar {
    private let total: Int
    private let isShown = Terminal.hasErrorOutput
    private let start = ContinuousClock.now
    private var nextDrawing = ContinuousClock.now

    init(total: Int) {
        self.total = total
    }

    mutating func advance(to count: Int, bytes: Int, at now: ContinuousClock.Instant) {
        guard isShown, now >= nextDrawing || count == total else { return }
        nextDrawing = now + .milliseconds(100)
        // If the clock hasn't moved yet, the rates would be infinite, which no Int can represent.
        let seconds = max(start.duration(to: now) / .seconds(1), 1e-9)
        let line = Self.line(
            count: count,
            total: total,
            messagesPerSecond: Double(count) / seconds,
            bytesPerSecond: Double(bytes) / seconds,
            width: Terminal.width(of: Terminal.errorOutput)
        )
        Terminal.write("\r\(line)\u{1B}[K", to: Terminal.errorOutput)
    }

    func finish() {
        if isShown { Terminal.write("\r\u{1B}[K", to: Terminal.errorOutput) }
    }

    static func line(
        count: Int,
        total: Int,
        messagesPerSecond: Double,
        bytesPerSecond: Double,
        width: Int
    ) -> String {
        let percent = "\(count * 100 / max(total, 1)) %"
        let rates =
            "\(Report.grouped(Int(messagesPerSecond))) messages/s  "
            + "\(Report.size(bytesPerSecond))/s"
        let cells = max(10, min(40, width - percent.count - rates.count - 8))
        let full = cells * count / max(total, 1)
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: cells - full)
        return "\(bar) \(percent)  \(rates)"
    }
}
