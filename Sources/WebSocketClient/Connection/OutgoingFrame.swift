import WebSocketAccel
import WebSocketProtocol

/// A frame to be sent, whose payload is still the caller's, and what has to be done before it may
/// leave: checking its text, and compression. Every frame of a client is masked as well.
struct OutgoingFrame {
    var opcode: Opcode
    var payload: UnsafeRawBufferPointer
    var isFinal = true
    var reservedBits: UInt8 = 0
    /// The payload is text that nobody has checked yet: check it in the same pass that masks it.
    var needsUTF8Check = false
    /// Whether to compress it. Only whole messages are compressed.
    var compression = MessageCompression.automatic
    /// Whether it begins a message that has been compressed already, without reference to others.
    var isCompressed: Bool { reservedBits & 4 != 0 }

    /// The length of the payload before compression; zero if unknown.
    var uncompressedCount = 0

    /// Whether a connection that compresses from `threshold` bytes on compresses it.
    @inline(__always)
    func needsCompression(from threshold: Int) -> Bool {
        threshold != .max && isCompressible(from: threshold)
    }

    private func isCompressible(from threshold: Int) -> Bool {
        guard compression != .never else { return false }
        if compression == .automatic, payload.count < threshold { return false }
        return isFinal && reservedBits == 0 && (opcode == .text || opcode == .binary)
    }

    /// A frame with its own memory, for a subclass to see; its text is checked here, as the check must
    /// not get lost on the way.
    func copied() throws(SendFailure) -> Frame {
        if needsUTF8Check { try Self.check(payload) }
        var frame = Frame(opcode: opcode, payload: Array(payload), isFinal: isFinal)
        frame.reservedBits = reservedBits
        frame.compression = compression
        return frame
    }

    static func check(_ text: UnsafeRawBufferPointer) throws(SendFailure) {
        var state = UTF8State()
        let offset = Kernels.validate(text, state: &state)
        guard offset < 0, state.isOnBoundary else {
            throw .invalidUTF8(offset: offset < 0 ? text.count : offset)
        }
    }
}

/// The progress of encoding one frame.
struct FrameCursor {
    fileprivate(set) var frame: OutgoingFrame
    /// The part of the payload that is still to be encoded.
    var rest: UnsafeRawBufferPointer
    /// The masking key, rotated for the start of `rest`.
    var key: UInt32 = 0
    /// Whether some of the frame has been encoded: then all of it has to leave.
    var hasBegun = false
    /// The most bytes of a fragment, where control frames wait for its end; only what is compressed is cut here.
    var limit = Int.max
    /// Whether it is sent uncompressed; false once some of it has been compressed.
    var isPlain = true

    init(_ frame: OutgoingFrame) {
        self.frame = frame
        rest = frame.payload
    }

    /// Checks the text, unless it has been checked.
    mutating func check() throws(SendFailure) {
        guard frame.needsUTF8Check else { return }
        try OutgoingFrame.check(frame.payload)
        frame.needsUTF8Check = false
    }
}

/// Why a frame could not be sent.
enum SendFailure: Error {
    /// `isAccepted`: the frame, or what is left of it, goes out before the next one.
    case transport(TransportError, isAccepted: Bool)
    /// A close frame has been sent; nothing may follow it.
    case closing
    /// The thread is sending already, and would wait for itself.
    case reentrant
    /// The text wasn't UTF-8; none of it has been sent.
    case invalidUTF8(offset: Int)
    /// There was no memory to compress with; none of the message has been sent.
    case compression
}
