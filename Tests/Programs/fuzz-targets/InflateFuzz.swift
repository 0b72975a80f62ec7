import CWebSocketZlib
import WebSocketProtocol

/// Inflating: in pieces and rooms of any size, the same result as zlib's at once, and never more than
/// the limit.
enum InflateFuzz {
    private struct Setup {
        var windowBits: Int
        var noContextTakeover: Bool
        var freesIdleStream: Bool
        var maximumBytes: Int
    }

    private struct Outcome: Equatable {
        /// The messages that were inflated whole.
        var messages: [[UInt8]] = []
        var hasFailed = false
    }

    static func run(_ input: inout Input) throws(Finding) {
        let choices = input.byte()
        let setup = Setup(
            windowBits: 8 + Int(choices & 7),
            noContextTakeover: choices & 8 != 0,
            freesIdleStream: choices & 16 != 0,
            maximumBytes: 1 << Int(input.byte() & 15)
        )
        let roomSize = 1 + Int(input.byte())
        let sizes = input.pieceSizes()
        let bytes = input.rest
        // Two messages, the second of which may refer to the first.
        let border = bytes.count * Int(choices >> 5) / 8
        let messages = [Array(bytes[border...]), Array(bytes[..<border])]

        let whole = try inflate(messages, setup, .whole, roomSize: 64 << 10)
        let split = try inflate(messages, setup, sizes, roomSize: roomSize)
        if whole != split {
            // zlib notices a sender that looks back further than agreed only if it has dropped those
            // bytes: whether it fails depends on the room, but its output doesn't.
            try require(setup.windowBits < 15, "inflated otherwise in pieces")
            var largest = setup
            largest.windowBits = 15
            let right = try inflate(messages, largest, .whole, roomSize: 64 << 10)
            for outcome in [whole, split] {
                try require(
                    outcome == right
                        || outcome.hasFailed && right.messages.starts(with: outcome.messages),
                    "inflated otherwise in pieces"
                )
            }
        }
        try compare(whole, with: reference(messages[0], setup))
    }

    private static func inflate(
        _ messages: [[UInt8]],
        _ setup: Setup,
        _ sizes: PieceSizes,
        roomSize: Int
    ) throws(Finding) -> Outcome {
        var inflater = Inflater(
            windowBits: setup.windowBits,
            noContextTakeover: setup.noContextTakeover,
            freesIdleStream: setup.freesIdleStream,
            maximumMessageBytes: setup.maximumBytes,
            maximumRatio: 1100
        )
        var outcome = Outcome()
        var room = [UInt8](repeating: 0, count: roomSize)
        for message in messages {
            var output: [UInt8] = []
            var pieces = sizes.pieces(of: message)[...]
            repeat {
                var piece = pieces.popFirst() ?? []
                var isComplete = false
                while !isComplete {
                    let step = room.withUnsafeMutableBytes { room in
                        piece.withUnsafeBytes { piece in
                            try? inflater.inflate(piece, endsMessage: pieces.isEmpty, into: room)
                        }
                    }
                    guard let step else {
                        outcome.hasFailed = true
                        return outcome
                    }
                    try require(
                        step.isComplete || step.consumed > 0 || step.produced > 0,
                        "it makes no progress"
                    )
                    piece = piece.dropFirst(step.consumed)
                    output += room[..<step.produced]
                    isComplete = step.isComplete
                }
                try require(piece.isEmpty, "input is left")
            } while !pieces.isEmpty
            try require(output.count <= setup.maximumBytes, "more than the limit")
            outcome.messages.append(output)
        }
        return outcome
    }

    private enum Reference {
        case message([UInt8])
        case refused
        /// After a final block, RFC 7692 §7.2.3.4 applies, which zlib doesn't know.
        case ended
    }

    private static func compare(_ outcome: Outcome, with reference: Reference) throws(Finding) {
        switch reference {
        case .message(let bytes):
            try require(outcome.messages.first == bytes, "zlib inflates it otherwise")
        case .refused:
            try require(outcome.messages.isEmpty, "zlib refuses it")
        case .ended:
            break
        }
    }

    /// The result of zlib for a message in one call.
    private static func reference(_ message: [UInt8], _ setup: Setup) -> Reference {
        guard !message.isEmpty else { return .message([]) }
        var stream = z_stream()
        guard czlib_inflate_init(&stream, -Int32(setup.windowBits)) == Z_OK else { return .refused }
        defer { inflateEnd(&stream) }
        var input = message + [0, 0, 0xFF, 0xFF]
        var output = [UInt8](repeating: 0, count: setup.maximumBytes + 1)
        let code = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = uInt(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = uInt(output.count)
                return CWebSocketZlib.inflate(&stream, Z_SYNC_FLUSH)
            }
        }
        if code == Z_STREAM_END { return .ended }
        let isBetweenBlocks = stream.data_type & 0xBF == 128
        guard code == Z_OK || code == Z_BUF_ERROR, stream.avail_in == 0, stream.avail_out > 0,
            isBetweenBlocks
        else { return .refused }
        return .message(Array(output.dropLast(Int(stream.avail_out))))
    }
}
