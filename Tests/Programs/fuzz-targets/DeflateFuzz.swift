import WebSocketProtocol

/// Compressing: whatever the settings, pieces and room, the peer gets the messages back.
enum DeflateFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let choices = input.byte()
        let noContextTakeover = choices & 1 != 0
        var options = DeflateOptions()
        options.freesIdleStreams = choices & 2 != 0
        options.strategy = DeflateOptions.Strategy.allCases[Int(choices >> 2 & 7) % 5]
        let figures = input.byte()
        options.level = Int(figures & 15) % 11 - 1
        options.memoryLevel = 1 + Int(figures >> 4) % 9
        let windowBits = 8 + Int(choices >> 5)
        let roomSize = 1 + Int(input.byte())
        let endings = input.byte()
        let sizes = input.pieceSizes()

        var deflater = Deflater(
            windowBits: windowBits,
            noContextTakeover: noContextTakeover,
            options: options
        )
        var inflater = Inflater(
            windowBits: windowBits,
            noContextTakeover: noContextTakeover,
            maximumMessageBytes: 1 << 20,
            maximumRatio: 1100
        )
        let bytes = input.rest
        let border = bytes.count / 2
        for message in [Array(bytes[..<border]), Array(bytes[border...]), bytes] {
            let compressed = try compress(message, &deflater, sizes, endings, roomSize)
            try require(try inflate(compressed, &inflater) == message, "another message")
        }
        let atOnce = bytes.withUnsafeBytes { try? deflater.compress(message: $0) }
        try require(
            atOnce.map { $0.count <= Deflater.maximumCompressedBytes(bytes.count) } ?? false,
            "larger than the maximum"
        )
        try require(try inflate(atOnce ?? [], &inflater) == bytes, "another message at once")
    }

    private static func compress(
        _ message: [UInt8],
        _ deflater: inout Deflater,
        _ sizes: PieceSizes,
        _ endings: UInt8,
        _ roomSize: Int
    ) throws(Finding) -> [UInt8] {
        var output: [UInt8] = []
        var room = [UInt8](repeating: 0, count: roomSize)
        var pieces = sizes.pieces(of: message)[...]
        var index = 0
        repeat {
            var piece = pieces.popFirst() ?? []
            let isFlushed = endings >> (index & 7) & 1 != 0
            let ending: Deflater.Ending = pieces.isEmpty ? .message : isFlushed ? .fragment : .none
            index += 1
            var isComplete = false
            while !isComplete {
                let step = room.withUnsafeMutableBytes { room in
                    piece.withUnsafeBytes { try? deflater.compress($0, ending: ending, into: room) }
                }
                guard let step else { throw Finding(description: "zlib refuses to compress") }
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
        return output
    }

    private static func inflate(
        _ message: [UInt8],
        _ inflater: inout Inflater
    ) throws(Finding) -> [UInt8] {
        var room = [UInt8](repeating: 0, count: 64 << 10)
        let step = room.withUnsafeMutableBytes { room in
            message.withUnsafeBytes { try? inflater.inflate($0, endsMessage: true, into: room) }
        }
        guard let step, step.isComplete else { throw Finding(description: "it can't be inflated") }
        return Array(room[..<step.produced])
    }
}
