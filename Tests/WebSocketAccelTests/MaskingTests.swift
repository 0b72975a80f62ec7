import Testing

@Suite("Masking, RFC 6455 section 5.3")
struct MaskingTests {
    private static let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

    /// The key in the kernels' form, continued after `offset` bytes.
    private static func word(offset: Int) -> UInt32 {
        let rotated = (0..<4).map { key[($0 + offset) % 4] }
        return rotated.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    /// 251 is a prime, so no two blocks are equal, and swapped ones show.
    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8($0 % 251) }
    }

    @Test(
        "Every length to 300 at every alignment and key offset, in place and copied",
        arguments: KernelSet.all
    )
    func everyLength(kernels: KernelSet) {
        let data = Self.pattern(300)
        let source = GuardedBuffer(capacity: 300)
        let destination = GuardedBuffer(capacity: 300)
        for keyOffset in 0..<4 {
            let expected = Reference.masked(data, key: Self.key, offset: keyOffset)
            let key = Self.word(offset: keyOffset)
            for count in 0...300 {
                let nextKey = Self.word(offset: keyOffset + count)
                for alignment in 0..<64 {
                    let bytes = source.place(data, count, alignment: alignment)
                    let otherAlignment = (alignment * 5 + count) % 64
                    let copy = destination.clear(alignment: otherAlignment)
                    let keyAfterCopy = kernels.mask(copy, bytes, count, key)
                    let isUntouched = source.holds(data, count, alignment: alignment)
                    let isCopied = destination.holds(expected, count, alignment: otherAlignment)
                    let keyAfterMask = kernels.mask(bytes, bytes, count, key)
                    let isMasked = source.holds(expected, count, alignment: alignment)
                    guard isUntouched, isCopied, isMasked, keyAfterCopy == nextKey,
                        keyAfterMask == nextKey
                    else {
                        Issue.record("\(count) bytes at \(alignment), key offset \(keyOffset)")
                        return
                    }
                }
            }
        }
    }

    @Test(
        "Long payloads, copied between all distances of source and destination",
        arguments: KernelSet.all
    )
    func longPayloads(kernels: KernelSet) {
        var random = SeededGenerator(state: 1)
        let source = GuardedBuffer(capacity: 70_000)
        let destination = GuardedBuffer(capacity: 70_000)
        for _ in 0..<40 {
            let count = Int.random(in: 301...70_000, using: &random)
            let data = Self.pattern(count)
            let expected = Reference.masked(data, key: Self.key)
            let alignment = Int.random(in: 0..<64, using: &random)
            let otherAlignment = Int.random(in: 0..<64, using: &random)
            let bytes = source.place(data, count, alignment: alignment)
            let copy = destination.clear(alignment: otherAlignment)
            _ = kernels.mask(copy, bytes, count, Self.word(offset: 0))
            #expect(destination.holds(expected, count, alignment: otherAlignment))
            _ = kernels.mask(bytes, bytes, count, Self.word(offset: 0))
            #expect(source.holds(expected, count, alignment: alignment))
        }
    }

    @Test("A payload in pieces is masked like the whole", arguments: KernelSet.all)
    func pieces(kernels: KernelSet) {
        var random = SeededGenerator(state: 2)
        for _ in 0..<200 {
            let data = Self.pattern(Int.random(in: 0...700, using: &random))
            var masked = data
            masked.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                var key = Self.word(offset: 0)
                var start = 0
                while start < bytes.count {
                    let count = min(Int.random(in: 0...150, using: &random), bytes.count - start)
                    key = kernels.mask(base + start, base + start, count, key)
                    start += count
                }
            }
            #expect(masked == Reference.masked(data, key: Self.key))
        }
    }
}
