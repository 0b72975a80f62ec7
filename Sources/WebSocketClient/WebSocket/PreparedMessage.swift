import WebSocketProtocol

/// A message that is validated and compressed once, and sent many times over many connections.
///
/// Each time it is sent, it is masked with a new key, as RFC 6455 §5.3 demands. Safe to use from any
/// thread.
public final class PreparedMessage: Sendable {
    /// Text or binary.
    public let opcode: Opcode
    /// The payload as it was given.
    public let payload: [UInt8]
    fileprivate let compression: MessageCompression
    /// Its compressed forms, by window size and level; `nil` where it is sent uncompressed.
    private let compressed = Locked<[DeflateChoice: [UInt8]?]>([:])

    /// Prepares a text message.
    ///
    /// - Parameters:
    ///   - text: The message.
    ///   - compression: Whether to compress it, where compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on, if that saves anything.
    public init(_ text: String, compression: MessageCompression = .automatic) {
        opcode = .text
        payload = Array(text.utf8)
        self.compression = compression
    }

    /// Prepares a binary message.
    ///
    /// - Parameters:
    ///   - bytes: The message.
    ///   - compression: Whether to compress it, where compression was agreed. Default: from
    ///     ``DeflateOptions/threshold`` on, if that saves anything.
    public init(binary bytes: [UInt8], compression: MessageCompression = .automatic) {
        opcode = .binary
        payload = bytes
        self.compression = compression
    }

    /// The payload for a connection that compresses by `choice`, and the reserved bits that say whether
    /// it is compressed.
    func payload(for choice: DeflateChoice?) -> (bytes: [UInt8], reservedBits: UInt8) {
        if let compressed = choice.flatMap(compressed) { return (compressed, 4) }
        return (payload, 0)
    }

    /// Runs `body` with the frame for a connection that compresses by `choice`; it is valid until
    /// `body` returns.
    func withFrame<Value, Failure>(
        for choice: DeflateChoice?,
        _ body: (OutgoingFrame) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let (bytes, reservedBits) = payload(for: choice)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(Failure) in
                try body(
                    OutgoingFrame(
                        opcode: opcode,
                        payload: bytes,
                        reservedBits: reservedBits,
                        compression: .never,
                        uncompressedCount: payload.count
                    )
                )
            }
        }
        return try result.get()
    }

    /// The payload, compressed without reference to other messages; `nil` if it should be sent
    /// uncompressed.
    func compressed(for choice: DeflateChoice) -> [UInt8]? {
        guard compression != .never else { return nil }
        return compressed.withLock { cache in
            if let known = cache[choice] { return known }
            var deflater = Deflater(
                windowBits: choice.windowBits,
                noContextTakeover: true,
                options: choice.options
            )
            var result: [UInt8]?
            if compression == .always || payload.count >= deflater.threshold {
                result = payload.withUnsafeBytes { try? deflater.compress(message: $0) }
            }
            if compression == .automatic, let bytes = result, bytes.count >= payload.count {
                result = nil
            }
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
    @available(*, noasync)
    public func send(_ message: PreparedMessage) throws {
        if isSubclass {
            var frame = Frame(opcode: message.opcode, payload: message.payload)
            frame.compression = message.compression
            try send(frame: frame)
            return
        }
        try withConnection { connection, timeouts in
            try message.withFrame(for: connection.deflateChoice) { frame in
                try connection.send(frame, timeout: timeouts.send)
            }
        }
    }
}
