import WebSocketProtocol

/// A frame to be sent, its payload still the caller's.
struct OutgoingFrame {
    var opcode: Opcode
    var payload: UnsafeRawBufferPointer
    var isFinal = true
    var reservedBits: UInt8 = 0
    /// The payload is text that nobody has checked yet: check it in the same pass that masks it.
    var needsUTF8Check = false
    /// Whether to compress it; whole messages alone are.
    var compression = MessageCompression.automatic
    /// Whether it begins a message that has been compressed already, without reference to others.
    var isCompressed: Bool { reservedBits & 4 != 0 }

    /// Whether it is to be compressed on a connection that compresses from so many bytes on.
    func needsCompression(from threshold: Int) -> Bool {
        guard threshold != .max, compression != .never else { return false }
        if compression == .automatic, payload.count < threshold { return false }
        return isFinal && reservedBits == 0 && (opcode == .text || opcode == .binary)
    }
}

/// Why a frame could not be sent.
enum SendFailure: Error {
    /// `isAccepted`: the frame, or what is left of it, goes out before the next one.
    case transport(TransportError, isAccepted: Bool)
    /// A close frame has been sent; nothing may follow it.
    case closing
    /// The thread is sending already, in a batch perhaps: it would wait for itself.
    case reentrant
    /// The text wasn't UTF-8; nothing of it has been sent.
    case invalidUTF8(offset: Int)
    /// There was no memory to compress with.
    case compression
}
