import WebSocketProtocol

/// A message that is validated and compressed once, and sent many times over many connections.
///
/// Each sending has its own masking key, as RFC 6455 §5.3 demands. Safe to use from any thread.
public final class PreparedMessage: Sendable {
    /// Text or binary.
    public let opcode: Opcode
    /// The payload as it was given.
    public let payload: [UInt8]
    /// What it compresses to, by window size and level; `nil` where that saves nothing.
    private let compressed = Locked<[DeflateChoice: [UInt8]?]>([:])

    /// Prepares a text message.
    ///
    /// - Parameter text: The message.
    public init(_ text: String) {
        opcode = .text
        payload = Array(text.utf8)
    }

    /// Prepares a binary message.
    ///
    /// - Parameter bytes: The message.
    public init(binary bytes: [UInt8]) {
        opcode = .binary
        payload = bytes
    }

    /// The payload compressed without reference to other messages; `nil` where it should go as it is.
    func compressed(for choice: DeflateChoice) -> [UInt8]? {
        compressed.withLock { cache in
            if let known = cache[choice] { return known }
            var deflater = Deflater(
                windowBits: choice.windowBits,
                noContextTakeover: true,
                options: choice.options
            )
            var result: [UInt8]?
            if payload.count >= deflater.threshold {
                result = payload.withUnsafeBytes { try? deflater.compress(message: $0) }
            }
            if let bytes = result, bytes.count >= payload.count { result = nil }
            cache[choice] = .some(result)
            return result
        }
    }
}

/// How a connection compresses.
struct DeflateChoice: Hashable, Sendable {
    var windowBits: Int
    var options: DeflateOptions
}

extension WebSocket {
    /// Sends a prepared message as one frame, compressed if that was agreed.
    ///
    /// - Parameter message: The message.
    /// - Throws: ``WebSocketError``: `timedOut`, `connectionClosed`, `aborted`.
    public func send(_ message: PreparedMessage) throws(WebSocketError) {
        if isSubclass {
            try send(frame: Frame(opcode: message.opcode, payload: message.payload))
            return
        }
        try withConnection { (connection, timeouts) throws(WebSocketError) in
            let compressed = connection.deflateChoice.flatMap(message.compressed)
            let bytes = compressed ?? message.payload
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(WebSocketError) in
                    let frame = OutgoingFrame(
                        opcode: message.opcode,
                        payload: bytes,
                        reservedBits: compressed == nil ? 0 : 4,
                        compression: .never,
                        isCompressed: compressed != nil
                    )
                    try connection.send(frame, timeout: timeouts.send)
                }
            }
            try result.get()
        }
    }
}
