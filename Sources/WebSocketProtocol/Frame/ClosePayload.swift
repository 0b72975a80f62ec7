import WebSocketAccel

/// The contents of a close frame: nothing, or a code and a reason (RFC 6455 §5.5.1).
public struct ClosePayload: Sendable, Hashable {
    /// The code, or `nil` when the frame was empty.
    public var code: CloseCode?
    /// The reason in words, or an empty string. At most 123 bytes of UTF-8 on the wire.
    public var reason: String

    /// Makes the contents of a close frame.
    ///
    /// - Parameters:
    ///   - code: The code, or `nil` for an empty frame.
    ///   - reason: The reason in words, at most 123 bytes of UTF-8; it needs a code.
    public init(code: CloseCode?, reason: String = "") {
        self.code = code
        self.reason = reason
    }

    /// Reads the payload of a close frame.
    package init(decoding payload: UnsafeRawBufferPointer) throws(ProtocolViolation) {
        if payload.isEmpty {
            self.init(code: nil)
            return
        }
        guard payload.count >= 2 else { throw ProtocolViolation(.closePayloadOfOneByte) }
        let code = CloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isValidOnWire else { throw ProtocolViolation(.closeCode(code)) }
        let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
        var state = UTF8State()
        let offset = Kernels.validate(reason, state: &state)
        guard offset < 0, state.isOnBoundary else {
            throw ProtocolViolation(.invalidUTF8(offset: offset < 0 ? reason.count : offset))
        }
        self.init(code: code, reason: String(decoding: reason, as: UTF8.self))
    }

    /// The bytes of the payload; the reason is cut to 123 bytes, between characters.
    package var encoded: [UInt8] {
        guard let code else { return [] }
        var bytes = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
        for character in reason {
            let utf8 = character.utf8
            if bytes.count + utf8.count > FrameHeader.maximumControlPayload { break }
            bytes.append(contentsOf: utf8)
        }
        return bytes
    }
}

extension ClosePayload: CustomStringConvertible {
    /// The code and the reason, on one line whatever the peer wrote.
    public var description: String {
        guard let code else { return "none" }
        return reason.isEmpty ? "\(code)" : "\(code) \(reason.quoted)"
    }
}
