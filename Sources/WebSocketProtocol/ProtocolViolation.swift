/// A rule of RFC 6455 or RFC 7692, or a limit, that the peer broke.
///
/// It is always the peer's fault, and it knows the close code that answers it.
public struct ProtocolViolation: Error, Sendable, Hashable {
    /// The rules that can be broken.
    public enum Rule: Sendable, Hashable {
        /// A reserved bit was set that no extension defined (RFC 6455 §5.2, RFC 7692 §6).
        case reservedBits
        /// The opcode is reserved (§5.2).
        case reservedOpcode(UInt8)
        /// A server's frame was masked (§5.1).
        case maskedFrame
        /// A client's frame wasn't masked (§5.1).
        case unmaskedFrame
        /// The payload length wasn't in its shortest form (§5.2).
        case lengthNotMinimal
        /// The payload length had its top bit set (§5.2).
        case lengthTopBit
        /// A control frame was longer than 125 bytes (§5.5).
        case controlFrameTooLong
        /// A control frame was fragmented (§5.5).
        case fragmentedControlFrame
        /// A continuation frame came with no message in progress (§5.4).
        case unexpectedContinuation
        /// A new message began inside a fragmented one (§5.4).
        case expectedContinuation
        /// A close frame carried one byte (§5.5.1).
        case closePayloadOfOneByte
        /// A close frame carried a code that may not be sent (§7.4).
        case closeCode(CloseCode)
        /// Text or a close reason wasn't UTF-8; the offset is that of the first byte that can't be
        /// right, in the message (§8.1).
        case invalidUTF8(offset: Int)
        /// A frame exceeded ``Limits/maximumFrameBytes``.
        case frameTooBig(maximum: Int)
        /// A message exceeded ``Limits/maximumMessageBytes``.
        case messageTooBig(maximum: Int)
        /// A message exceeded ``Limits/maximumFragments``.
        case tooManyFragments(maximum: Int)
        /// A message exceeded ``Limits/maximumInflationRatio``.
        case inflationRatio(maximum: Int)
        /// Compressed data couldn't be inflated (RFC 7692 §7.2.2).
        case corruptCompression
    }

    /// The rule that was broken.
    public var rule: Rule

    /// Makes a violation of a rule.
    ///
    /// - Parameter rule: The rule.
    public init(_ rule: Rule) { self.rule = rule }

    /// The violation that inflating the peer's message has found.
    init(inflating failure: DeflateFailure) {
        switch failure {
        case .corruptData, .outOfMemory, .library: self.init(.corruptCompression)
        case .messageTooBig(let maximum): self.init(.messageTooBig(maximum: maximum))
        case .ratioTooHigh(let maximum): self.init(.inflationRatio(maximum: maximum))
        }
    }

    /// The close code to send to the peer (§7.4.1).
    public var closeCode: CloseCode {
        switch rule {
        case .invalidUTF8, .corruptCompression: .invalidPayload
        case .frameTooBig, .messageTooBig, .tooManyFragments, .inflationRatio: .messageTooBig
        default: .protocolError
        }
    }
}

extension ProtocolViolation: CustomStringConvertible {
    /// One sentence that says what the peer did.
    public var description: String {
        switch rule {
        case .reservedBits: "The peer set a reserved bit that no extension defined."
        case .reservedOpcode(let code): "The peer used the reserved opcode \(code)."
        case .maskedFrame: "The server masked a frame."
        case .unmaskedFrame: "The client sent an unmasked frame."
        case .lengthNotMinimal: "The peer encoded a payload length in more bytes than it needs."
        case .lengthTopBit: "The peer announced a payload length with the top bit set."
        case .controlFrameTooLong: "The peer sent a control frame of more than 125 bytes."
        case .fragmentedControlFrame: "The peer fragmented a control frame."
        case .unexpectedContinuation: "The peer sent a continuation frame outside a message."
        case .expectedContinuation: "The peer began a message inside a fragmented one."
        case .closePayloadOfOneByte: "The peer sent a close frame with half a close code."
        case .closeCode(let code): "The peer sent the close code \(code), which is not allowed."
        case .invalidUTF8(let offset): "The peer sent text that is not UTF-8 at byte \(offset)."
        case .frameTooBig(let maximum): "The peer sent a frame of more than \(maximum) bytes."
        case .messageTooBig(let maximum): "The peer sent a message of more than \(maximum) bytes."
        case .tooManyFragments(let maximum):
            "The peer split a message into more than \(maximum) fragments."
        case .inflationRatio(let maximum):
            "The peer sent a message that inflates to more than \(maximum) times its size."
        case .corruptCompression: "The peer sent compressed data that can't be inflated."
        }
    }
}
