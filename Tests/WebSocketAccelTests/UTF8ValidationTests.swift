import Testing

/// The bytes at the edges of every range of table 3-7.
private let edges: [UInt8] = [
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
]

private let texts = [
    "The quick brown fox jumps over the lazy dog; 0123456789 <html> {\"json\": [1, 2, 3]} ~",
    "Съешь же ещё этих мягких французских булок, да выпей чаю",
    "Dès Noël où un zéphyr haï me vêt de glaçons würmiens",
    "視野無限廣,窗外有藍天。いろはにほへと ちりぬるを 키스의 고유조건은",
    "😀🤣👩‍👩‍👧‍👦🏳️‍🌈𝔘𝔫𝔦𝔠𝔬𝔡𝔢 mixed é й 漢 😀",
]

@Suite("UTF-8 validation, RFC 3629")
struct UTF8ValidationTests {
    @Test("Every sequence of one, two and three bytes has the reference's result")
    func everyShortSequence() {
        // One test for all kernels, as the reference takes the most time.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 3, alignment: 1)
        defer { bytes.deallocate() }
        func expectAgreement(_ count: Int) -> Verdict {
            let sequence = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            let expected = Reference.check(sequence)
            for kernels in KernelSet.all where kernels.check(sequence) != expected {
                Issue.record("\(kernels.testDescription): \(Array(sequence)), not \(expected)")
            }
            return expected
        }
        let everyByte = Array(UInt8.min...UInt8.max)
        for first in 0...255 {
            bytes[0] = UInt8(first)
            _ = expectAgreement(1)
            for second in 0...255 {
                bytes[1] = UInt8(second)
                // If only the last two bytes can matter, or nothing after the second, test the edges:
                // Tests/Steps/kernels tests all of them.
                let isOpen = expectAgreement(2).failure < 0 && first >= 0x7F
                for third in isOpen ? everyByte : edges {
                    bytes[2] = third
                    _ = expectAgreement(3)
                }
            }
        }
    }

    @Test("Sequences of four bytes at all edges, at every split", arguments: KernelSet.all)
    func fourBytes(kernels: KernelSet) {
        let firsts: [UInt8] = [0x41, 0xC2, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5]
        let allSplits = [[], [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]
        for first in firsts {
            for second in edges {
                for third in edges {
                    for fourth in edges {
                        let bytes = [first, second, third, fourth]
                        let expected = Reference.check(bytes)
                        // Splits after the failure prove nothing.
                        let length = expected.failure < 0 ? 4 : expected.failure + 1
                        for splits in allSplits where splits.allSatisfy({ $0 <= length }) {
                            guard kernels.check(bytes, splits: splits) == expected else {
                                Issue.record("\(bytes) split at \(splits), not \(expected)")
                                return
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(
        "Every sequence of two and three bytes after every lead byte, at every split",
        arguments: KernelSet.all
    )
    func splits(kernels: KernelSet) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 3, alignment: 1)
        defer { bytes.deallocate() }
        let allSplits = [[1], [2], [0, 1, 1, 2]]
        func isOpen(_ count: Int) -> Bool {
            let sequence = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            let expected = Reference.check(sequence)
            for splits in allSplits.prefix(count == 2 ? 1 : 3) {
                if kernels.check(sequence, splits: splits) != expected {
                    Issue.record("\(Array(sequence)) split at \(splits), not \(expected)")
                }
            }
            return expected.failure < 0
        }
        for first in UInt8(0xC2)...0xF4 {
            bytes[0] = first
            for second in UInt8.min...UInt8.max {
                bytes[1] = second
                guard isOpen(2) else { continue }
                for third in UInt8.min...UInt8.max {
                    bytes[2] = third
                    _ = isOpen(3)
                }
            }
        }
    }

    @Test("A faulty sequence is found at every place of a text", arguments: KernelSet.all)
    func everyPlace(kernels: KernelSet) {
        let sequences: [[UInt8]] = [
            [0x80], [0xBF], [0xC0, 0xAF], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xDF, 0xC2, 0x80],
            [0xE0, 0x9F, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0xA0], [0xE1, 0x80, 0x41], [0xE2, 0x41],
            [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEF, 0xBF, 0xBF, 0x80], [0xEF, 0xBF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x90, 0x80],
            [0xF1, 0x80, 0x80, 0x41], [0xF1, 0x80, 0x41], [0xF2, 0x41], [0xF4, 0x90, 0x80, 0x80],
            [0xF4, 0x8F, 0xBF, 0xBF, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
            [0xFE], [0xFF], [0xC2, 0x80, 0x80], [0xF0, 0x9F, 0x98, 0x80], [0xE2, 0x82, 0xAC],
        ]
        for text in texts {
            for sequence in sequences {
                for place in 0...132 {
                    for (count, suffix) in [(place, 0), (place, place % 2 == 0 ? 3 : 150)] {
                        let bytes = Self.fill(text, count) + sequence + Self.fill(text, suffix)
                        let expected = Reference.check(bytes)
                        guard kernels.check(bytes) == expected else {
                            Issue.record("\(sequence) at \(place) of \(text), not \(expected)")
                            return
                        }
                    }
                }
            }
        }
    }

    /// Whole code points of a text, repeated, and ASCII up to exactly `count` bytes.
    private static func fill(_ text: String, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            for scalar in text.unicodeScalars {
                let encoded = UTF8.encode(scalar).map(Array.init) ?? []
                guard bytes.count + encoded.count <= count else {
                    return bytes + [UInt8](repeating: 0x2E, count: count - bytes.count)
                }
                bytes += encoded
            }
        }
        return bytes
    }

    @Test(
        "Every length of text at every alignment, cut anywhere, is valid",
        arguments: KernelSet.all
    )
    func everyLength(kernels: KernelSet) {
        let buffer = GuardedBuffer(capacity: 400)
        for text in texts {
            let bytes = Self.fill(text, 400)
            for count in 0...300 {
                let expected = Reference.check(bytes[..<count])
                let alignment = count * 7 % 64
                let place = buffer.place(bytes, count, alignment: alignment)
                let whole = UnsafeRawBufferPointer(start: place, count: count)
                #expect(kernels.check(whole) == expected)
                #expect(kernels.check(whole, splits: [count / 3, count / 2]) == expected)
            }
        }
    }

    @Test("Random texts with random faults in random pieces", arguments: KernelSet.all)
    func randomInput(kernels: KernelSet) {
        var random = SeededGenerator(state: 3)
        for round in 0..<1500 {
            let text = texts[round % texts.count]
            var bytes = Self.fill(text, Int.random(in: 0...1200, using: &random))
            if round % 3 > 0, !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            let cuts = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }
            let expected = Reference.check(bytes)
            let splits = cuts.sorted().prefix { expected.failure < 0 || $0 <= expected.failure }
            let verdict = kernels.check(bytes, splits: Array(splits))
            guard verdict == expected else {
                Issue.record("round \(round): \(verdict), not \(expected)")
                return
            }
        }
    }

    @Test("Random bytes", arguments: KernelSet.all)
    func randomBytes(kernels: KernelSet) {
        var random = SeededGenerator(state: 4)
        for _ in 0..<3000 {
            let count = Int.random(in: 0...40, using: &random)
            let prefix = Int.random(in: 0...100, using: &random)
            let bytes =
                [UInt8](repeating: 0x20, count: prefix)
                + (0..<count).map { _ in
                    edges[Int.random(in: 0..<edges.count, using: &random)]
                }
            #expect(kernels.check(bytes) == Reference.check(bytes))
        }
    }

    @Test("A rejected stream stays rejected", arguments: KernelSet.all)
    func stickyRejection(kernels: KernelSet) {
        var state = boundary
        #expect(kernels.validate([0x61, 0xFF, 0x61] as [UInt8], 3, &state) == 1)
        #expect(state == rejected)
        for count in 0...200 {
            let text = [UInt8](repeating: 0x61, count: 200)
            #expect(kernels.validate(text, count, &state) == 0)
            #expect(state == rejected)
        }
    }
}
