/// Figures as text.
enum Report {
    static func text(_ result: Bench.Result, isJSON: Bool) throws -> String {
        isJSON ? try JSON.line(Figures(result)) : table(result)
    }

    private static let percentiles: [(name: String, percent: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100),
    ]

    private static func table(_ result: Bench.Result) -> String {
        let load = result.load
        let seconds = decimal(result.duration / .seconds(1), digits: 3)
        let times = percentiles.map { "\($0.name) \(time(result.percentile($0.percent)))" }
        return """
            \(grouped(result.count)) messages of \(size(Double(load.size))) there and back in \(seconds) s
            rate        \(grouped(Int(result.messagesPerSecond))) messages/s, \
            \(size(result.bytesPerSecond))/s each way
            round trip  \(times.joined(separator: ", "))
            """
    }

    /// The figures for `--json`.
    private struct Figures: Encodable {
        let size, count, window: Int
        let seconds, messagesPerSecond, bytesPerSecond: Double
        let roundTrip: [String: Double]

        init(_ result: Bench.Result) {
            size = result.load.size
            count = result.count
            window = result.load.window
            seconds = result.duration / .seconds(1)
            messagesPerSecond = result.messagesPerSecond
            bytesPerSecond = result.bytesPerSecond
            let times = percentiles.map { ($0.name, result.percentile($0.percent) / .seconds(1)) }
            roundTrip = Dictionary(uniqueKeysWithValues: times)
        }
    }

    /// A number of bytes with the unit that fits it.
    static func size(_ bytes: Double) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (bytes, 0)
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return decimal(value, digits: value == value.rounded() ? 0 : 1) + " " + units[unit]
    }

    /// A time with the unit that fits it, in three digits or so.
    static func time(_ duration: Duration) -> String {
        let microseconds = duration / .microseconds(1)
        if microseconds < 1000 { return decimal(microseconds, digits: 0) + " µs" }
        let (value, unit) =
            microseconds < 1_000_000
            ? (microseconds / 1000, "ms") : (microseconds / 1_000_000, "s")
        return decimal(value, digits: value < 10 ? 2 : value < 100 ? 1 : 0) + " " + unit
    }

    /// An integer with commas.
    static func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return String(digits)
    }

    /// A number that is not negative, with `digits` decimal places.
    static func decimal(_ value: Double, digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * Double(scale)).rounded()
        guard scaled.isFinite, scaled < 1e18 else { return "\(value)" }
        let (whole, fraction) = Int(scaled).quotientAndRemainder(dividingBy: scale)
        guard digits > 0 else { return "\(whole)" }
        let text = String(fraction)
        return "\(whole)." + String(repeating: "0", count: digits - text.count) + text
    }
}
