import WebSocketProtocol

/// One message, as an app keeps it.
enum KeptContent: Sendable {
    case payload(Opcode, [UInt8])
    case prepared(PreparedMessage)
    case fragments(Opcode, [[UInt8]])
    /// Dropped; its place remains, so that the others keep their numbers.
    case nothing

    /// How much of the limit it uses. Fragments and messages cost memory beyond their bytes.
    var cost: Int {
        switch self {
        case .payload(_, let bytes): bytes.count + Self.overhead
        case .prepared(let message): message.payload.count + Self.overhead
        case .fragments(_, let fragments):
            fragments.reduce(Self.overhead) { $0 + $1.count + Self.fragmentOverhead }
        case .nothing: 0
        }
    }

    private static let overhead = 64
    private static let fragmentOverhead = 48

    var message: Message? {
        switch self {
        case .payload(let opcode, let bytes): Self.message(opcode, bytes)
        case .prepared(let message): Self.message(message.opcode, message.payload)
        case .fragments(let opcode, let fragments): Self.message(opcode, Array(fragments.joined()))
        case .nothing: nil
        }
    }

    init(_ message: Message) {
        switch message {
        case .text(let text): self = .payload(.text, Array(text.utf8))
        case .binary(let bytes): self = .payload(.binary, bytes)
        }
    }

    private static func message(_ opcode: Opcode, _ bytes: [UInt8]) -> Message {
        opcode == .text ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes)
    }
}
