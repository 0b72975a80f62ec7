import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Acknowledged ciphertext and its plaintext")
struct AcknowledgementMarksTests {
    @Test("Plaintext counts as acknowledged once all of its ciphertext is, and not before")
    func wholeRecords() {
        var marks = AcknowledgementMarks()
        marks.append(plaintext: 0, ciphertext: 100)
        marks.append(plaintext: 10, ciphertext: 132)
        marks.append(plaintext: 30, ciphertext: 174)
        #expect(marks.plaintext(ofAcknowledged: 99) == 0)
        #expect(marks.plaintext(ofAcknowledged: 131) == 0)
        #expect(marks.plaintext(ofAcknowledged: 132) == 10)
        #expect(marks.plaintext(ofAcknowledged: 173) == 10)
        #expect(marks.plaintext(ofAcknowledged: 174) == 30)
    }

    @Test(
        "However many records wait, never too much counts as acknowledged, and all of it does in the end"
    )
    func manyRecords() {
        var generator = SeededGenerator(state: 18)
        for _ in 0..<50 {
            var marks = AcknowledgementMarks()
            var records: [(plaintext: UInt64, ciphertext: UInt64)] = []
            var (plaintext, ciphertext, acknowledged) = (UInt64(0), UInt64(0), UInt64(0))
            for _ in 0..<1_000 {
                let count = UInt64.random(in: 1...16_384, using: &generator)
                plaintext += count
                ciphertext += count + 22
                records.append((plaintext, ciphertext))
                marks.append(plaintext: plaintext, ciphertext: ciphertext)
                guard Int.random(in: 0..<100, using: &generator) == 0 else { continue }
                acknowledged = .random(in: acknowledged...ciphertext, using: &generator)
                let truth = records.last { $0.ciphertext <= acknowledged }?.plaintext ?? 0
                #expect(marks.plaintext(ofAcknowledged: acknowledged) <= truth)
            }
            #expect(marks.plaintext(ofAcknowledged: ciphertext) == plaintext)
        }
    }
}
