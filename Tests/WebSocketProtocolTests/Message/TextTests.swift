import TestSupport
import Testing
import WebSocketProtocol

@Suite("Text as it arrives, RFC 6455 §8.1")
struct TextTests {
    /// Malformed UTF-8 and the index of the first byte that can't be right.
    static let malformed: [([UInt8], Int)] = [
        ([0x80], 0), ([0xC0, 0xAF], 0), ([0xC1, 0x81], 0), ([0xF5, 0x80, 0x80, 0x80], 0),
        ([0xFF], 0), ([0xC3, 0x28], 1), ([0xE0, 0x80, 0x80], 1), ([0xE2, 0x28, 0xA1], 1),
        ([0xE2, 0x82, 0x28], 2), ([0xED, 0xA0, 0x80], 1), ([0xED, 0xBF, 0xBF], 1),
        ([0xF0, 0x80, 0x80, 0x80], 1), ([0xF0, 0x90, 0x28, 0xBC], 2),
        ([0xF0, 0x90, 0x8D, 0x28], 3),
        ([0xF4, 0x90, 0x80, 0x80], 1),
    ]

    @Test(
        "A connection fails at the first byte that can't be right, inside a frame",
        arguments: malformed
    )
    func failFast(text: [UInt8], wrong: Int) {
        for prefix in ["", "plain ", "é", String(repeating: "x", count: 70)] {
            let start = Array(prefix.utf8)
            // The frame announces far more than ever comes.
            let frame = WireFrame(.text, start + text).with { $0.announcedLength = 100_000 }
            let bytes = frame.bytes
            let header = bytes.count - start.count - text.count
            let offset = start.count + wrong
            for readsDirectly in [false, true] {
                var recorder = EventRecorder(readsDirectly: readsDirectly)
                for byte in bytes { recorder.feed([byte]) }
                #expect(recorder.events == [.violation(.invalidUTF8(offset: offset))])
                #expect(recorder.fedBytes == header + offset + 1, "at once, not a byte later")
            }
        }
    }

    @Test("The offset counts from the start of the message", arguments: malformed)
    func offsetInMessage(text: [UInt8], wrong: Int) {
        let stream = [
            WireFrame(.text, text: "before"), WireFrame(.text, text: "1234", isFinal: false),
            WireFrame(.ping, [0xFF]), WireFrame(.continuation, text: "56€", isFinal: false),
            WireFrame(.continuation, text, isFinal: false),
        ]
        let expected: [RecordedEvent] = [
            .text("before"), .control(.ping, [0xFF]), .violation(.invalidUTF8(offset: 9 + wrong)),
        ]
        #expect(events(of: stream.bytes) == expected)
    }

    @Test("Binary messages aren't checked, and neither is text if that is switched off")
    func unchecked() {
        let stream = [WireFrame(.binary, [0xFF, 0xC0]), WireFrame(.text, [0xFF, 0xC0])]
        let binary = RecordedEvent.message(.binary, [0xFF, 0xC0])
        #expect(events(of: stream.bytes) == [binary, .violation(.invalidUTF8(offset: 0))])
        #expect(
            events(of: stream.bytes, validatesUTF8: false)
                == [binary, .message(.text, [0xFF, 0xC0])]
        )
    }

    @Test("An incomplete message leaves no state for the next one")
    func independence() {
        // A binary message that ends inside what would be a character, then text.
        let stream = [WireFrame(.binary, [0xE2], isFinal: false), WireFrame(.continuation, [0x82])]
        let text = [
            WireFrame(.text, text: "a", isFinal: false), WireFrame(.continuation, text: "b"),
        ]
        #expect(
            events(of: (stream + text).bytes) == [.message(.binary, [0xE2, 0x82]), .text("ab")]
        )
    }
}
