import Benchmark

/// How often a benchmark does its work a sample: the clock's own cost would be in the time of one.
let repetitions = 1000

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput],
        scalingFactor: .kilo,
        maxDuration: .milliseconds(300)
    )
    for size in [125, 4096, 65536] {
        addMasking(size)
        addText("ASCII", text("the quick brown fox ", size))
        addText("Cyrillic", text("съешь же ещё ", size))
    }
    for size in [16, 1024, 65536] {
        addClient(messageSize: size)
    }
}

/// Words again and again, and spaces to the size.
private func text(_ words: String, _ size: Int) -> [UInt8] {
    let whole = size / words.utf8.count
    let text = [UInt8](String(repeating: words, count: whole).utf8)
    return text + [UInt8](repeating: 0x20, count: size - text.count)
}
