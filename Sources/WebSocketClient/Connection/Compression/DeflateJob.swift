import WebSocketProtocol

/// A message that waits to be sent in order, and its compressed form.
final class DeflateJob: @unchecked Sendable {
    // Safe to send: one thread at a time has it. Its maker hands it over through `DeflateWorkers`'
    // queue, and gets it back with `completion`.
    private var opcode = Opcode.binary
    private var message: [UInt8] = []
    private var compressed: [UInt8] = []
    private var compressedCount = 0
    private var failure: DeflateFailure?
    /// Whether it is to be compressed; otherwise it only keeps its place.
    private(set) var needsCompression = false
    /// Set once it has been compressed.
    let completion = Event()

    /// How much memory is kept for the next message.
    private static let keptCapacity = 1 << 20

    /// Takes a copy of a message.
    func begin(_ frame: OutgoingFrame, needsCompression: Bool) {
        opcode = frame.opcode
        self.needsCompression = needsCompression
        failure = nil
        message.removeAll(keepingCapacity: message.capacity <= Self.keptCapacity)
        message.append(contentsOf: frame.payload)
        if compressed.count > Self.keptCapacity { compressed = [] }
    }

    /// The length of the message.
    var count: Int { message.count }

    func compress(with deflater: inout Deflater) {
        let result = message.withUnsafeBytes { bytes in
            Result { () throws(DeflateFailure) in
                try deflater.compress(message: bytes, into: &compressed)
            }
        }
        switch result {
        case .success(let count): compressedCount = count
        case .failure(let error): failure = error
        }
    }

    /// Lends the bytes to send.
    func withFrame(
        _ body: (OutgoingFrame) throws(SendFailure) -> Void
    ) throws(SendFailure) {
        if failure != nil { throw .compression }
        let result = (needsCompression ? compressed : message).withUnsafeBytes { bytes in
            Result { () throws(SendFailure) in
                try body(
                    OutgoingFrame(
                        opcode: opcode,
                        payload: needsCompression
                            ? UnsafeRawBufferPointer(rebasing: bytes[..<compressedCount]) : bytes,
                        reservedBits: needsCompression ? 4 : 0,
                        compression: .never,
                        uncompressedCount: message.count
                    )
                )
            }
        }
        try result.get()
    }
}
