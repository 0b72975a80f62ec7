import Foundation
import TestSupport
import Testing
import WebSocketProtocol

@Suite("What looks random")
struct RandomnessTests {
    private static func isLikely(in bytes: some Sequence<UInt8>) -> Bool {
        Array(bytes).withUnsafeBytes { Randomness.isLikely(in: $0) }
    }

    /// How many of a thousand contents look random.
    private func share(_ make: (inout SeededGenerator) -> [UInt8]) -> Int {
        var generator = SeededGenerator(state: 7)
        return (0..<1000).count { _ in Self.isLikely(in: make(&generator)) }
    }

    @Test("Nearly all random bytes do, whatever their number", arguments: [64, 65, 1000, 100_003])
    func noise(count: Int) {
        #expect(share { $0.noise(count) } > 900)
    }

    @Test("Too few bytes to tell never do")
    func few() {
        #expect(!Self.isLikely(in: []))
        #expect(!Self.isLikely(in: (0..<63).map { UInt8($0) }))
    }

    enum Content: CaseIterable {
        case zeros, counters, base64, hexadecimal, json, cyrillic, chinese, emoji, samples, prices
    }

    @Test("Nothing that compresses to three quarters does", arguments: Content.allCases)
    func compressible(content: Content) {
        let found = share { generator in
            let count = Int.random(in: 128...20_000, using: &generator)
            func text(_ scalars: ClosedRange<UInt32>) -> [UInt8] {
                var text = ""
                while text.utf8.count < count {
                    text.unicodeScalars.append(
                        Unicode.Scalar(.random(in: scalars, using: &generator)) ?? " "
                    )
                }
                return Array(text.utf8)
            }
            func words<Word>(_ make: () -> Word) -> [UInt8] {
                (0..<count / 8).flatMap { _ in withUnsafeBytes(of: make()) { Array($0) } }
            }
            switch content {
            case .zeros: return [UInt8](repeating: 0, count: count)
            case .counters:
                return (0..<UInt32(count)).flatMap { withUnsafeBytes(of: $0) { Array($0) } }
            case .base64: return Array(Data(generator.noise(count)).base64EncodedString().utf8)
            case .hexadecimal:
                return generator.noise(count).flatMap { Array(String($0, radix: 16).utf8) }
            case .json:
                return words { generator.next() }.flatMap {
                    Array(#"{"price":\#($0),"size":1}"#.utf8)
                }
            case .cyrillic: return text(0x410...0x44F)
            case .chinese: return text(0x4E00...0x9FA5)
            case .emoji: return text(0x1F600...0x1F64F)
            case .samples: return words { Int16.random(in: -2000...2000, using: &generator) }
            case .prices:
                return words { Double(Int.random(in: 10_000...20_000, using: &generator)) / 100 }
            }
        }
        #expect(found <= 5)
    }
}
