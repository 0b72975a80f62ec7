import Testing
import WebSocketProtocol

@Suite("Frames as values")
struct FrameTests {
    @Test("The reserved bits are in wire order", arguments: UInt8(0)...7)
    func reservedBits(bits: UInt8) {
        var frame = Frame(opcode: .binary)
        frame.reservedBits = bits
        #expect(frame.rsv1 == (bits & 4 != 0))
        #expect(frame.rsv2 == (bits & 2 != 0))
        #expect(frame.rsv3 == (bits & 1 != 0))
        #expect(frame.reservedBits == bits)
    }

    @Test("A description is one line and shortens a long payload")
    func description() {
        let text = Frame(text: "a\nb\u{1B}[31m" + String(repeating: "x", count: 1000))
        #expect(text.description.hasPrefix("fin=1 opcode=text length=1008 data=\"a\\nb\\u{1B}"))
        #expect(text.description.count < 200)
        #expect(!text.description.contains { $0.isNewline || $0 == "\u{1B}" })
        let binary = Frame(binary: [0, 0xAB], isFinal: false)
        #expect(binary.description == "fin=0 opcode=binary length=2 data=[0 ab]")
        let close = Frame(
            opcode: .close,
            payload: ClosePayload(code: .goingAway, reason: "a\nb").encoded
        )
        #expect(close.description == "fin=1 opcode=close length=5 data=1001 \"a\\nb\"")
        #expect(Frame(opcode: .close).description == "fin=1 opcode=close length=0 data=none")
        #expect(Frame(opcode: .close, payload: [1]).description.hasSuffix("data=?"))
    }

    @Test("Text that is cut inside a character stays text")
    func text() {
        #expect(Frame(text: "ü").text == "ü")
        #expect(Frame(opcode: .text, payload: [0xC3]).text == "\u{FFFD}")
    }
}
