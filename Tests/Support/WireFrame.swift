package import WebSocketProtocol

/// A frame as bytes, valid or not, encoded independently of the package.
package struct WireFrame: Sendable {
    package enum LengthForm: Sendable { case shortest, sixteenBits, sixtyFourBits }

    package var isFinal = true
    package var reservedBits: UInt8 = 0
    package var opcode: UInt8
    package var maskingKey: [UInt8]?
    package var lengthForm = LengthForm.shortest
    /// The length in the header; the payload's own if `nil`.
    package var announcedLength: UInt64?
    package var payload: [UInt8]

    package init(
        _ opcode: Opcode,
        _ payload: [UInt8] = [],
        isFinal: Bool = true,
        maskedWith maskingKey: [UInt8]? = nil
    ) {
        self.init(rawOpcode: opcode.rawValue, payload, isFinal: isFinal, maskedWith: maskingKey)
    }

    package init(
        rawOpcode opcode: UInt8,
        _ payload: [UInt8] = [],
        isFinal: Bool = true,
        maskedWith maskingKey: [UInt8]? = nil
    ) {
        self.opcode = opcode
        self.payload = payload
        self.isFinal = isFinal
        self.maskingKey = maskingKey
    }

    package init(_ opcode: Opcode, text: String, isFinal: Bool = true) {
        self.init(opcode, Array(text.utf8), isFinal: isFinal)
    }

    package func with(_ change: (inout WireFrame) -> Void) -> WireFrame {
        var copy = self
        change(&copy)
        return copy
    }

    package var bytes: [UInt8] {
        let length = announcedLength ?? UInt64(payload.count)
        let maskBit: UInt8 = maskingKey == nil ? 0 : 0x80
        var bytes = [(isFinal ? 0x80 : 0) | reservedBits << 4 | opcode]
        if lengthForm == .shortest, length <= 125 {
            bytes.append(maskBit | UInt8(length))
        } else if lengthForm != .sixtyFourBits, length <= 0xFFFF {
            bytes.append(maskBit | 126)
            bytes += [UInt8(length >> 8), UInt8(length & 0xFF)]
        } else {
            bytes.append(maskBit | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * UInt64($0))) }
        }
        guard let maskingKey else { return bytes + payload }
        bytes += maskingKey
        return bytes + payload.enumerated().map { $1 ^ maskingKey[$0 % 4] }
    }
}

extension [WireFrame] {
    package var bytes: [UInt8] { flatMap(\.bytes) }
}
