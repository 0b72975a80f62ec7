import TestSupport
import Testing
import WebSocketProtocol

@Suite("Fragments delivered one by one")
struct FragmentTests {
    /// The fragments that a reader gets from these frames, and the end.
    private func fragments(
        of frames: [WireFrame],
        validatesUTF8: Bool = true
    ) -> (payloads: [[UInt8]], violation: ProtocolViolation.Rule?) {
        var decoder = MessageDecoder(
            role: .client,
            limits: Limits(),
            validatesUTF8: validatesUTF8
        )
        let bytes = frames.bytes
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        defer { storage.deallocate() }
        storage.copyBytes(from: bytes)
        decoder.window.lend(storage)
        decoder.window.append(bytes.count)
        var payloads: [[UInt8]] = []
        var partial: Frame?
        do throws(ProtocolViolation) {
            while let frame = try decoder.nextFrame(partial: &partial) {
                payloads.append(try decoder.fragment(frame).payload)
            }
            return (payloads, nil)
        } catch {
            return (payloads, error.rule)
        }
    }

    @Test("A character that is cut between two fragments is delivered whole in the second")
    func cutCharacter() {
        let (payloads, violation) = fragments(of: [
            WireFrame(.text, Array("hello".utf8) + [0xE2], isFinal: false),
            WireFrame(.continuation, [0x82, 0xAC, 0x21]),
        ])
        #expect(payloads == [Array("hello".utf8), Array("€!".utf8)])
        #expect(violation == nil)
    }

    @Test("A character may be spread over several fragments")
    func slowCharacter() {
        let bytes = Array("𝄞".utf8)
        let frames = bytes.enumerated().map { index, byte in
            WireFrame(index == 0 ? .text : .continuation, [byte], isFinal: index == 3)
        }
        let (payloads, violation) = fragments(of: frames)
        #expect(payloads == [[], [], [], bytes])
        #expect(violation == nil)
    }

    @Test("Binary fragments are delivered unchanged")
    func binary() {
        let (payloads, _) = fragments(of: [
            WireFrame(.binary, [1, 0xE2], isFinal: false), WireFrame(.continuation, [0x82]),
        ])
        #expect(payloads == [[1, 0xE2], [0x82]])
    }

    @Test("If text isn't checked, invalid bytes are delivered in the last fragment")
    func unchecked() {
        let (payloads, violation) = fragments(
            of: [
                WireFrame(.text, [0x61, 0xE2], isFinal: false), WireFrame(.continuation, [0xE2]),
            ],
            validatesUTF8: false
        )
        #expect(payloads == [[0x61], [0xE2, 0xE2]])
        #expect(violation == nil)
    }

    @Test("The offset of a byte that can't be right counts from the start of the message")
    func offset() {
        let (payloads, violation) = fragments(of: [
            WireFrame(.text, Array("hello".utf8) + [0xE2], isFinal: false),
            WireFrame(.continuation, [0x82, 0x41]),
        ])
        #expect(payloads == [Array("hello".utf8)])
        #expect(violation == .invalidUTF8(offset: 7))
    }

    @Test("Text that ends inside a character is refused at its end")
    func cutMessage() {
        let (_, violation) = fragments(of: [
            WireFrame(.text, Array("hello".utf8), isFinal: false),
            WireFrame(.continuation, [0x21, 0xE2]),
        ])
        #expect(violation == .invalidUTF8(offset: 7))
    }

    @Test("A window knows whether it holds the rest of a frame")
    func holdsFrame() {
        let bytes = WireFrame(.binary, [UInt8](repeating: 1, count: 200)).bytes
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        defer { storage.deallocate() }
        storage.copyBytes(from: bytes)
        for count in 0...bytes.count {
            var decoder = MessageDecoder(role: .client, limits: Limits())
            decoder.window.lend(storage)
            decoder.window.append(count)
            let holdsFrame = decoder.holdsFrame
            #expect(holdsFrame == (count == bytes.count))
        }
    }
}
