import ArgumentParser

/// A number of bytes on the command line, such as 4096 or 64KiB.
struct ByteCount: ExpressibleByArgument, Equatable {
    let bytes: Int

    private static let units = [
        "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20,
        "mib": 1 << 20, "mb": 1_000_000, "g": 1 << 30, "gib": 1 << 30,
    ]
    private static let maximum = 1 << 30

    /// `nil` unless it is a number with a known unit, of at most 1 GiB.
    init?(argument: String) {
        let text = argument.lowercased()
        let digits = text.prefix { $0.isNumber }
        guard let number = Int(digits), let unit = Self.units[String(text[digits.endIndex...])]
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, bytes <= Self.maximum else { return nil }
        self.bytes = bytes
    }
}
