import Testing

@Suite("Validating and masking in one pass")
struct MaskValidatingTests {
    private static let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    private static let text = Array(
        "Hello Съешь же ещё, 視野無限廣, 😀🤣 the quick brown fox jumps over the lazy dog. ".utf8
    )

    private static func word(offset: Int) -> UInt32 {
        (0..<4).map { key[($0 + offset) % 4] }.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    @Test(
        "Every length, alignment and key offset has the same result as two passes",
        arguments: KernelSet.all
    )
    func everyLength(kernels: KernelSet) {
        let source = GuardedBuffer(capacity: 300)
        let destination = GuardedBuffer(capacity: 300)
        let mixed = Array((Self.text + Self.text + Self.text + Self.text).prefix(300))
        let ascii = (0..<300).map { UInt8($0 % 127) }
        for data in [mixed, ascii] {
            for keyOffset in 0..<4 {
                let expected = Reference.masked(data, key: Self.key, offset: keyOffset)
                for count in 0...300 {
                    let endsOnBoundary = Reference.check(data[..<count]).endsOnBoundary
                    for round in 0..<4 {
                        let alignment = (count * 7 + round * 16) % 64
                        let otherAlignment = (count * 5 + round * 13) % 64
                        let bytes = source.place(data, count, alignment: alignment)
                        let copy = destination.clear(alignment: otherAlignment)
                        var key = Self.word(offset: keyOffset)
                        var state = boundary
                        let failure = kernels.maskValidating(copy, bytes, count, &key, &state)
                        guard failure == -1, (state == boundary) == endsOnBoundary,
                            key == Self.word(offset: keyOffset + count),
                            source.holds(data, count, alignment: alignment),
                            destination.holds(expected, count, alignment: otherAlignment)
                        else {
                            Issue.record("\(count) bytes from \(alignment) to \(otherAlignment)")
                            return
                        }
                    }
                }
            }
        }
    }

    @Test(
        "Beyond the size of the first-level cache, everything is masked and every fault found",
        arguments: KernelSet.all
    )
    func longPieces(kernels: KernelSet) {
        let repeats = 30_000 / Self.text.count
        var data = Array(repeatElement(Self.text, count: repeats).joined())
        var output = [UInt8](repeating: 0, count: data.count)
        for keyOffset in 0..<4 {
            var key = Self.word(offset: keyOffset)
            var state = boundary
            #expect(kernels.maskValidating(&output, data, data.count, &key, &state) == -1)
            #expect(key == Self.word(offset: keyOffset + data.count))
            #expect(output == Reference.masked(data, key: Self.key, offset: keyOffset))
        }
        let borders = [8191, 8192, 8193, 16383, 16384, 16385, 24575, 24576, data.count - 1]
        for place in borders {
            let byte = data[place]
            data[place] = 0xFF
            let expected = Reference.check(data).failure
            var key = Self.word(offset: 0)
            var state = boundary
            #expect(kernels.maskValidating(&output, data, data.count, &key, &state) == expected)
            #expect(state == rejected)
            data[place] = byte
        }
    }

    @Test(
        "Random pieces with random faults have the same result as two passes",
        arguments: KernelSet.all
    )
    func randomPieces(kernels: KernelSet) {
        var random = SeededGenerator(state: 5)
        for round in 0..<600 {
            let repeats = Int.random(in: 1...20, using: &random)
            var data = Array(repeatElement(Self.text, count: repeats).joined())
            data.removeLast(Int.random(in: 0..<Self.text.count, using: &random))
            if round % 2 == 0 {
                data[Int.random(in: 0..<data.count, using: &random)] = .random(
                    in: 0...255,
                    using: &random
                )
            }
            let expected = Reference.check(data)
            var output = [UInt8](repeating: 0, count: data.count)
            var key = Self.word(offset: 0)
            var state = boundary
            var start = 0
            var failure = -1
            while start < data.count, failure < 0 {
                let count = min(Int.random(in: 0...400, using: &random), data.count - start)
                data.withUnsafeBytes { source in
                    output.withUnsafeMutableBytes { destination in
                        guard let from = source.baseAddress, let to = destination.baseAddress else {
                            return
                        }
                        failure = kernels.maskValidating(
                            to + start,
                            from + start,
                            count,
                            &key,
                            &state
                        )
                    }
                }
                failure = failure < 0 ? failure : start + failure
                start += count
            }
            #expect(failure == expected.failure)
            if failure < 0 {
                #expect((state == boundary) == expected.endsOnBoundary)
                #expect(output == Reference.masked(data, key: Self.key))
            } else {
                #expect(state == rejected)
            }
        }
    }

    @Test("A rejected stream stays rejected", arguments: KernelSet.all)
    func stickyRejection(kernels: KernelSet) {
        var key: UInt32 = 0
        var state = rejected
        var output = [UInt8](repeating: 0, count: 200)
        for count in 0...200 {
            let text = [UInt8](repeating: 0x61, count: 200)
            #expect(kernels.maskValidating(&output, text, count, &key, &state) == 0)
            #expect(state == rejected)
        }
    }
}
