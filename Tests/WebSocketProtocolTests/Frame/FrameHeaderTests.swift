import TestSupport
import Testing
import WebSocketProtocol

@Suite("Frame headers, RFC 6455 §5.2")
struct FrameHeaderTests {
    /// The lengths on both sides of every boundary between the forms.
    static let lengths = [
        0, 1, 124, 125, 126, 127, 255, 256, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000,
        0xFFFF_FFFF, 0x1_0000_0000, 1 << 62, .max,
    ]

    private func encoded(_ header: FrameHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: FrameHeader.maximumLength)
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { header.encode(into: $0) } ?? 0
        }
        #expect(bytes[count...].allSatisfy { $0 == 0xAA }, "nothing is written behind the header")
        return Array(bytes[..<count])
    }

    private func decode(
        _ bytes: [UInt8],
        role: Role = .client
    ) throws(ProtocolViolation) -> (header: FrameHeader, length: Int)? {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(ProtocolViolation) in
                try FrameHeader.decode(buffer, role: role)
            }
        }
        return try result.get()
    }

    @Test("A written header can be read back, as soon as it is complete", arguments: lengths)
    func roundTrip(length: Int) throws {
        let opcodes = Opcode.allCases.filter { !$0.isControl || length <= 125 }
        for opcode in opcodes {
            for isFinal in opcode.isControl ? [true] : [true, false] {
                for bits in UInt8(0)...7 {
                    for key in [nil, 0x1122_3344] as [UInt32?] {
                        let header = FrameHeader(
                            isFinal: isFinal,
                            reservedBits: bits,
                            opcode: opcode,
                            maskingKey: key,
                            payloadLength: length
                        )
                        let bytes = encoded(header)
                        let role: Role = key == nil ? .client : .server
                        for count in 0..<bytes.count {
                            #expect(try decode(Array(bytes[..<count]), role: role) == nil)
                        }
                        let read = try #require(try decode(bytes, role: role))
                        #expect(read.header == header)
                        #expect(read.length == bytes.count)
                    }
                }
            }
        }
    }

    @Test("The bytes are those of the RFC", arguments: lengths, [false, true])
    func wire(length: Int, isMasked: Bool) {
        let key: [UInt8]? = isMasked ? [1, 2, 3, 4] : nil
        let expected = WireFrame(.binary, maskedWith: key).with {
            $0.announcedLength = UInt64(length)
        }
        let header = FrameHeader(
            opcode: .binary,
            maskingKey: isMasked ? UInt32(littleEndian: 0x0403_0201) : nil,
            payloadLength: length
        )
        #expect(encoded(header) == expected.bytes)
        if length < 1 << 62 {
            let whole = FrameHeader.frameLength(payload: length, isMasked: isMasked)
            #expect(whole == expected.bytes.count + length)
        }
    }

    @Test(
        "A length that fits a shorter form is refused",
        arguments: [(0, 16), (125, 16), (0, 64), (125, 64), (126, 64), (0xFFFF, 64)]
    )
    func minimality(length: Int, bits: Int) {
        let frame = WireFrame(.binary).with {
            $0.announcedLength = UInt64(length)
            $0.lengthForm = bits == 16 ? .sixteenBits : .sixtyFourBits
        }
        #expect(throws: ProtocolViolation(.lengthNotMinimal)) { try decode(frame.bytes) }
    }

    @Test("A length with the top bit set is refused", arguments: [1 << 63, .max] as [UInt64])
    func topBit(length: UInt64) {
        let frame = WireFrame(.binary).with { $0.announcedLength = length }
        #expect(throws: ProtocolViolation(.lengthTopBit)) { try decode(frame.bytes) }
    }

    @Test("Reserved opcodes are refused from the first byte", arguments: [3, 7, 0xB, 0xF])
    func reservedOpcode(code: UInt8) {
        #expect(throws: ProtocolViolation(.reservedOpcode(code))) { try decode([0x80 | code]) }
    }

    @Test("Frames masked in the wrong direction are rejected", arguments: Opcode.allCases)
    func masking(opcode: Opcode) {
        let masked = WireFrame(opcode, maskedWith: [0, 0, 0, 0]).bytes
        let unmasked = WireFrame(opcode).bytes
        #expect(throws: ProtocolViolation(.maskedFrame)) { try decode(masked, role: .client) }
        #expect(throws: ProtocolViolation(.unmaskedFrame)) { try decode(unmasked, role: .server) }
    }

    @Test("Control frames are short and whole", arguments: [Opcode.close, .ping, .pong])
    func control(opcode: Opcode) {
        let fragment = WireFrame(opcode, isFinal: false).bytes
        #expect(throws: ProtocolViolation(.fragmentedControlFrame)) { try decode(fragment) }
        for length in [126, 0x10000] as [UInt64] {
            let long = WireFrame(opcode).with { $0.announcedLength = length }.bytes
            #expect(throws: ProtocolViolation(.controlFrameTooLong)) {
                try decode(Array(long.prefix(2)))
            }
        }
    }
}
