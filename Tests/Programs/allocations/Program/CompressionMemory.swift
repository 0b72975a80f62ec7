import AllocationCounter
import WebSocketProtocol

/// Compares the memory of compression with the sizes that `DeflateOptions` documents.
enum CompressionMemory {
    /// What the allocator and `z_stream` itself may add: several KiB would make the documentation
    /// wrong.
    private static let tolerance = 400

    /// True if everything is as documented.
    static func check() throws -> Bool {
        var isFine = message.count > 0
        for (windowBits, memoryLevel) in [(15, 8), (15, 9), (12, 5), (9, 1)] {
            let sending = 1 << (windowBits + 2) + 1 << (memoryLevel + 9) + 6064
            isFine = try compressor(windowBits, memoryLevel, expected: sending) && isFine
            isFine = try decompressor(windowBits, expected: 1 << windowBits + 7272) && isFine
        }
        return isFine
    }

    private static let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7) }

    private static func compressor(_ windowBits: Int, _ memoryLevel: Int, expected: Int) throws
        -> Bool
    {
        var options = DeflateOptions()
        options.memoryLevel = memoryLevel
        var output = [UInt8](repeating: 0, count: 200_000)
        let start = allocated_bytes()
        var isFine = true
        do {
            var deflater = Deflater(
                windowBits: windowBits,
                noContextTakeover: false,
                options: options
            )
            isFine = report("a compressor not used yet", since: start, expected: 0)
            for _ in 0..<2 { try compress(with: &deflater, into: &output) }
            isFine =
                report(
                    "a compressor, window 2^\(windowBits), memory level \(memoryLevel)",
                    since: start,
                    expected: expected
                ) && isFine
        }
        isFine = report("a compressor that is gone", since: start, expected: 0) && isFine

        options.freesIdleStreams = true
        var deflater = Deflater(windowBits: windowBits, noContextTakeover: true, options: options)
        try compress(with: &deflater, into: &output)
        return report("a compressor that is freed in between", since: start, expected: 0) && isFine
    }

    private static func compress(with deflater: inout Deflater, into output: inout [UInt8]) throws {
        _ = try message.withUnsafeBytes { try deflater.compress(message: $0, into: &output) }
    }

    private static func decompressor(_ windowBits: Int, expected: Int) throws -> Bool {
        var deflater = Deflater(
            windowBits: windowBits,
            noContextTakeover: true,
            options: DeflateOptions()
        )
        let payload = try message.withUnsafeBytes { try deflater.compress(message: $0) }
        // The second is made after the first has been freed. With a byte to spare, one call sees the
        // end.
        var output = [UInt8](repeating: 0, count: message.count + 1)
        let start = allocated_bytes()
        var isFine = true
        for freesIdleStream in [false, true] {
            var inflater = Inflater(
                windowBits: windowBits,
                noContextTakeover: true,
                freesIdleStream: freesIdleStream,
                maximumMessageBytes: 1 << 20,
                maximumRatio: 1000
            )
            isFine = report("a decompressor not used yet", since: start, expected: 0) && isFine
            let progress = try payload.withUnsafeBytes { payload in
                try output.withUnsafeMutableBytes { room in
                    try inflater.inflate(payload, endsMessage: true, into: room)
                }
            }
            guard progress.isComplete, progress.produced == message.count else {
                print("FAILED to inflate: \(progress)")
                return false
            }
            isFine =
                report(
                    "a decompressor, window 2^\(windowBits)\(freesIdleStream ? ", freed" : "")",
                    since: start,
                    expected: freesIdleStream ? 0 : expected
                ) && isFine
        }
        return isFine
    }

    /// The name is made after measuring, as it takes memory itself.
    private static func report(_ name: @autoclosure () -> String, since start: Int64, expected: Int)
        -> Bool
    {
        let held = Int(allocated_bytes() - start)
        // Swift's runtime may allocate something meanwhile, but smaller than any stream.
        let isFine = abs(held - expected) <= (expected == 0 ? 100 : tolerance)
        print("\(isFine ? "ok    " : "FAILED") \(name()): \(held) bytes, documented \(expected)")
        return isFine
    }
}
