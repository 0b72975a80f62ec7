import Foundation
import FuzzTargets
import TestSupport
import Testing

@Suite("The fuzzers' seeds, and inputs that once failed")
struct CorpusTests {
    private static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
        let folder = URL(filePath: #filePath)
            .deletingLastPathComponent()
            .appending(components: "Corpus", target.rawValue)
        let files = try FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: nil
        )
        return try files.map { [UInt8](try Data(contentsOf: $0)) }
    }

    @Test("Every checked-in input holds", arguments: FuzzTarget.allCases)
    func inputs(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target)
        #expect(inputs.count >= 2)
        for input in inputs {
            try input.withUnsafeBytes { try target.run($0) }
        }
    }

    @Test("Damaged inputs hold too", arguments: FuzzTarget.allCases)
    func damagedInputs(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target)
        var random = SeededGenerator(state: 7)
        for _ in 0..<300 {
            var input = inputs.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0...input.count, using: &random)
                let byte = UInt8.random(in: 0...255, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: input.insert(byte, at: position)
                case 1 where position < input.count: input[position] = byte
                case 2 where position < input.count: input.remove(at: position)
                default: input += input[position...].prefix(20)
                }
            }
            try input.withUnsafeBytes { try target.run($0) }
        }
    }
}
