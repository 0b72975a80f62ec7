import WebSocketProtocol

/// The messages that a connection is given in one turn: several in a row, or one in fragments, and
/// perhaps a ping behind them.
struct ReplayPortion {
    let connection: Connection
    /// The number of the first message.
    let start: Int
    var contents: [KeptContent] = []
    var ping: [UInt8]?

    init(connection: Connection, start: Int) {
        self.connection = connection
        self.start = start
    }

    private struct Payload {
        var opcode: Opcode
        var bytes: [UInt8]
        var reservedBits: UInt8 = 0
        var compression = MessageCompression.automatic

        func frame(_ bytes: UnsafeRawBufferPointer) -> OutgoingFrame {
            OutgoingFrame(
                opcode: opcode,
                payload: bytes,
                reservedBits: reservedBits,
                compression: compression
            )
        }
    }

    /// How many contents are dealt with once `accepted` frames have been accepted; the ping counts as
    /// one more.
    func contents(in accepted: Int) -> Int {
        var frames = 0
        for (index, content) in contents.enumerated() {
            if case .nothing = content { continue }
            if frames == accepted { return index }
            frames += 1
        }
        return contents.count + (accepted > frames ? 1 : 0)
    }

    /// Lends the frames, one for each message, in memory that lives as long as the call.
    func withFrames<Result>(
        _ body: ([OutgoingFrame]) throws(SendFailure) -> Result
    ) throws(SendFailure) -> Result {
        let payloads =
            contents.compactMap(payload) + (ping.map { [Payload(opcode: .ping, bytes: $0)] } ?? [])
        // A large message goes out by itself, and isn't copied.
        if payloads.count == 1 || payloads.count == 2 && ping != nil {
            let last = payloads.count == 2 ? payloads[1] : nil
            let result = payloads[0].bytes.withUnsafeBytes { first in
                (last?.bytes ?? []).withUnsafeBytes { second in
                    Swift.Result { () throws(SendFailure) in
                        let frames = [payloads[0].frame(first)]
                        return try body(frames + (last.map { [$0.frame(second)] } ?? []))
                    }
                }
            }
            return try result.get()
        }
        let joined = Array(payloads.map(\.bytes).joined())
        let result = joined.withUnsafeBytes { all in
            Swift.Result { () throws(SendFailure) in
                var start = 0
                return try body(
                    payloads.map { payload in
                        let end = start + payload.bytes.count
                        defer { start = end }
                        return payload.frame(UnsafeRawBufferPointer(rebasing: all[start..<end]))
                    }
                )
            }
        }
        return try result.get()
    }

    private func payload(_ content: KeptContent) -> Payload? {
        switch content {
        case .payload(let opcode, let bytes): return Payload(opcode: opcode, bytes: bytes)
        case .prepared(let message):
            let (bytes, reservedBits) = message.payload(for: connection.deflateChoice)
            return Payload(
                opcode: message.opcode,
                bytes: bytes,
                reservedBits: reservedBits,
                compression: .never
            )
        case .fragments, .nothing: return nil
        }
    }
}
