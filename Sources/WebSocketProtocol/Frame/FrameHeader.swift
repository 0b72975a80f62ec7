// Rules (RFC 6455 §5.2):
// 1. The length takes 7, 7+16 or 7+64 bits, the fewest that hold it; the top bit of 64 is 0.
// 2. A client's frames are masked, a server's never.
// 3. Control frames carry at most 125 bytes and are never fragmented (§5.5).

/// The first 2 to 14 bytes of a frame.
@usableFromInline
package struct FrameHeader: Sendable, Hashable {
    @inlinable package static var maximumLength: Int { 14 }
    package static let maximumControlPayload = 125
    /// The longest payload whose length needs no bytes of its own.
    package static let maximumShortPayload = 125

    @usableFromInline package var isFinal: Bool
    /// RSV1, RSV2, RSV3 as bits 2, 1, 0.
    @usableFromInline package var reservedBits: UInt8
    @usableFromInline package var opcode: Opcode
    /// The key with its bytes in wire order in memory, or `nil` for an unmasked frame.
    @usableFromInline package var maskingKey: UInt32?
    @usableFromInline package var payloadLength: Int

    @inlinable
    package init(
        isFinal: Bool = true,
        reservedBits: UInt8 = 0,
        opcode: Opcode,
        maskingKey: UInt32?,
        payloadLength: Int
    ) {
        self.isFinal = isFinal
        self.reservedBits = reservedBits
        self.opcode = opcode
        self.maskingKey = maskingKey
        self.payloadLength = payloadLength
    }

    /// The length of a frame on the wire, in bytes.
    @inlinable
    package static func frameLength(payload count: Int, isMasked: Bool) -> Int {
        let length = count <= 125 ? 2 : count <= 0xFFFF ? 4 : 10
        return (isMasked ? length + 4 : length) + count
    }

    /// Writes the header, at most ``maximumLength`` bytes, and returns how many.
    @inlinable
    package func encode(into out: UnsafeMutableRawPointer) -> Int {
        let maskBit: UInt8 = maskingKey == nil ? 0 : 0x80
        out.storeBytes(
            of: (isFinal ? 0x80 : 0) | reservedBits << 4 | opcode.rawValue,
            as: UInt8.self
        )
        var length: Int
        switch payloadLength {
        case ...125:
            let short = maskBit | UInt8(truncatingIfNeeded: payloadLength)
            out.storeBytes(of: short, toByteOffset: 1, as: UInt8.self)
            length = 2
        case ...0xFFFF:
            let wide = UInt16(truncatingIfNeeded: payloadLength).bigEndian
            out.storeBytes(of: maskBit | 126, toByteOffset: 1, as: UInt8.self)
            out.storeBytes(of: wide, toByteOffset: 2, as: UInt16.self)
            length = 4
        default:
            out.storeBytes(of: maskBit | 127, toByteOffset: 1, as: UInt8.self)
            out.storeBytes(of: UInt64(payloadLength).bigEndian, toByteOffset: 2, as: UInt64.self)
            length = 10
        }
        if let maskingKey {
            out.storeBytes(of: maskingKey, toByteOffset: length, as: UInt32.self)
            length += 4
        }
        return length
    }

    /// Reads a frame's first byte, and throws if no frame may begin with it.
    @inline(__always)
    static func decodeFirst(
        _ byte: UInt8
    ) throws(ProtocolViolation) -> (opcode: Opcode, isFinal: Bool) {
        guard let opcode = Opcode(rawValue: byte & 0x0F) else {
            throw ProtocolViolation(.reservedOpcode(byte & 0x0F))
        }
        let isFinal = byte & 0x80 != 0
        guard isFinal || !opcode.isControl else {
            throw ProtocolViolation(.fragmentedControlFrame)
        }
        return (opcode, isFinal)
    }

    /// Reads a header from the front of `bytes`; `nil` while it isn't all there.
    ///
    /// `role` is this end's: a client refuses masked frames, a server unmasked ones. If the first bytes
    /// break a rule, that is reported without waiting for the rest. ``FrameDecoder`` decides whether
    /// the reserved bits are allowed.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer,
        role: Role
    ) throws(ProtocolViolation) -> (header: FrameHeader, length: Int)? {
        guard let first = bytes.first else { return nil }
        let (opcode, isFinal) = try decodeFirst(first)
        guard bytes.count >= 2 else { return nil }
        let second = bytes[1]
        let isMasked = second & 0x80 != 0
        switch role {
        case .client where isMasked: throw ProtocolViolation(.maskedFrame)
        case .server where !isMasked: throw ProtocolViolation(.unmaskedFrame)
        default: break
        }
        let shortLength = Int(second & 0x7F)
        if opcode.isControl, shortLength > maximumControlPayload {
            throw ProtocolViolation(.controlFrameTooLong)
        }

        var length = shortLength < 126 ? 2 : shortLength == 126 ? 4 : 10
        guard bytes.count >= length else { return nil }
        let payloadLength: Int
        switch shortLength {
        case 126:
            let wide = bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            payloadLength = Int(UInt16(bigEndian: wide))
            guard payloadLength > 125 else { throw ProtocolViolation(.lengthNotMinimal) }
        case 127:
            let wide = bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
            guard let exact = Int(exactly: UInt64(bigEndian: wide)) else {
                throw ProtocolViolation(.lengthTopBit)
            }
            guard exact > 0xFFFF else { throw ProtocolViolation(.lengthNotMinimal) }
            payloadLength = exact
        default:
            payloadLength = shortLength
        }

        var maskingKey: UInt32?
        if isMasked {
            guard bytes.count >= length + 4 else { return nil }
            maskingKey = bytes.loadUnaligned(fromByteOffset: length, as: UInt32.self)
            length += 4
        }
        let header = FrameHeader(
            isFinal: isFinal,
            reservedBits: first >> 4 & 0x7,
            opcode: opcode,
            maskingKey: maskingKey,
            payloadLength: payloadLength
        )
        return (header, length)
    }
}
