/// One frame, as on the wire but unmasked (RFC 6455 §5.2).
///
/// Most programs send and receive messages. Frames are for those that fragment by hand, look at
/// control frames, or override the frame-level methods of `WebSocket`.
public struct Frame: Sendable, Hashable {
    /// Whether this is the last (or only) fragment of its message.
    public var isFinal: Bool
    /// The first reserved bit; set on the first frame of a compressed message (RFC 7692 §6).
    public var rsv1 = false
    /// The second reserved bit.
    public var rsv2 = false
    /// The third reserved bit.
    public var rsv3 = false
    /// The kind of frame.
    public var opcode: Opcode
    /// The application data, unmasked.
    public var payload: [UInt8]
    /// The sender's choice; it isn't on the wire.
    package var compression = MessageCompression.automatic

    /// Makes a frame.
    ///
    /// - Parameters:
    ///   - opcode: The kind of frame.
    ///   - payload: The application data; at most 125 bytes in a control frame.
    ///   - isFinal: Whether it ends its message; control frames always do.
    public init(opcode: Opcode, payload: [UInt8] = [], isFinal: Bool = true) {
        self.opcode = opcode
        self.payload = payload
        self.isFinal = isFinal
    }

    /// Makes a text frame.
    ///
    /// - Parameters:
    ///   - text: The payload, sent as UTF-8.
    ///   - isFinal: Whether it ends its message.
    public init(text: String, isFinal: Bool = true) {
        self.init(opcode: .text, payload: Array(text.utf8), isFinal: isFinal)
    }

    /// Makes a binary frame.
    ///
    /// - Parameters:
    ///   - binary: The payload.
    ///   - isFinal: Whether it ends its message.
    public init(binary: [UInt8], isFinal: Bool = true) {
        self.init(opcode: .binary, payload: binary, isFinal: isFinal)
    }

    /// The payload as text; malformed UTF-8 is replaced by U+FFFD.
    public var text: String { String(decoding: payload, as: UTF8.self) }

    /// The code and reason of a close frame, or `nil` for other frames and malformed payloads.
    public var closePayload: ClosePayload? {
        guard opcode == .close else { return nil }
        return payload.withUnsafeBytes { try? ClosePayload(decoding: $0) }
    }

    /// RSV1, RSV2, RSV3 as bits 2, 1, 0.
    package var reservedBits: UInt8 {
        get { (rsv1 ? 4 : 0) | (rsv2 ? 2 : 0) | (rsv3 ? 1 : 0) }
        set {
            rsv1 = newValue & 4 != 0
            rsv2 = newValue & 2 != 0
            rsv3 = newValue & 1 != 0
        }
    }
}

extension Frame: CustomStringConvertible {
    /// The frame on one line, with at most 64 bytes of its payload.
    public var description: String {
        let shown = payload.prefix(64)
        let data =
            switch opcode {
            case .text: String(decoding: shown, as: UTF8.self).quoted
            case .close: closePayload?.description ?? "?"
            default: "[" + shown.map { String($0, radix: 16) }.joined(separator: " ") + "]"
            }
        let more = payload.count > shown.count ? "…" : ""
        return "fin=\(isFinal ? 1 : 0) opcode=\(opcode) length=\(payload.count) data=\(data)\(more)"
    }
}
