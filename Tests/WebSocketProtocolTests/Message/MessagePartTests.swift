import TestSupport
import Testing
import WebSocketProtocol

@Suite("Messages in parts")
struct MessagePartTests {
    /// The parts of these frames' messages, without control frames.
    private func parts(
        of frames: [WireFrame],
        room: Int = 4
    ) throws(ProtocolViolation) -> [RecordedPart] {
        var decoder = MessageDecoder(role: .client, limits: Limits())
        let bytes = frames.bytes
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
        defer {
            window.deallocate()
            output.deallocate()
        }
        decoder.window.lend(window)
        decoder.window.room.copyBytes(from: bytes)
        decoder.window.append(bytes.count)
        var parts: [RecordedPart] = []
        while true {
            switch try decoder.nextPart(into: output) {
            case .needsMoreBytes: return parts
            case .control: break
            case .part(_, let count, let isLast):
                parts.append(RecordedPart(bytes: Array(output[..<count]), isLast: isLast))
            }
        }
    }

    private struct RecordedPart: Equatable {
        var bytes: [UInt8]
        var isLast: Bool
    }

    @Test("An empty last fragment ends a message")
    func emptyEnd() throws {
        let frames = [
            WireFrame(.text, text: "abc", isFinal: false), WireFrame(.continuation),
            WireFrame(.binary, [9]),
        ]
        #expect(
            try parts(of: frames) == [
                RecordedPart(bytes: Array("abc".utf8), isLast: false),
                RecordedPart(bytes: [], isLast: true), RecordedPart(bytes: [9], isLast: true),
            ]
        )
    }

    @Test("A fault is reported with its offset in the message", arguments: [1, 3, 4, 100])
    func offset(room: Int) {
        let cut = [
            WireFrame(.text, text: "hello", isFinal: false), WireFrame(.ping, [1]),
            WireFrame(.continuation, [0x61, 0x62, 0xE2, 0x82, 0x41]),
        ]
        #expect(throws: ProtocolViolation(.invalidUTF8(offset: 9))) {
            try parts(of: cut, room: room)
        }
        let short = [
            WireFrame(.text, text: "hello", isFinal: false),
            WireFrame(.continuation, [0xE2, 0x82]),
        ]
        #expect(throws: ProtocolViolation(.invalidUTF8(offset: 7))) {
            try parts(of: short, room: room)
        }
    }
}
