/// The kind of a frame (RFC 6455 §5.2, §11.8).
@frozen
public enum Opcode: UInt8, Sendable, Hashable, CaseIterable {
    /// A further fragment of the message in progress.
    case continuation = 0x0
    /// A text message, or its first fragment.
    case text = 0x1
    /// A binary message, or its first fragment.
    case binary = 0x2
    /// The closing handshake (§5.5.1).
    case close = 0x8
    /// A request for a pong (§5.5.2).
    case ping = 0x9
    /// The answer to a ping, or an unsolicited heartbeat (§5.5.3).
    case pong = 0xA

    /// Whether frames of this kind may stand between the fragments of a message (§5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }
}
