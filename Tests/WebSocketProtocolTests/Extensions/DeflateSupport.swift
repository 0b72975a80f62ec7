import WebSocketProtocol

extension Deflater {
    /// Compresses a message in pieces and rooms of these sizes.
    mutating func compress(
        _ message: [UInt8],
        ending: Ending = .message,
        pieces: Int = .max,
        room: Int = 4096
    ) throws -> [UInt8] {
        var output: [UInt8] = []
        var rest = message[...]
        repeat {
            var piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(piece.count)
            var calls = 0
            while true {
                let (progress, bytes) = try compressOnce(
                    piece,
                    ending: rest.isEmpty ? ending : .none,
                    room: room
                )
                output += bytes
                piece.removeFirst(progress.consumed)
                if progress.isComplete { break }
                calls += 1
                guard calls < 1_000_000 else { throw Stuck() }
            }
        } while !rest.isEmpty
        return output
    }

    private mutating func compressOnce(
        _ piece: [UInt8],
        ending: Ending,
        room: Int
    ) throws -> (DeflateProgress, [UInt8]) {
        var bytes = [UInt8](repeating: 0xEE, count: room + 1)
        let progress = try piece.withUnsafeBytes { input in
            try bytes.withUnsafeMutableBytes { output in
                try compress(
                    input,
                    ending: ending,
                    into: UnsafeMutableRawBufferPointer(rebasing: output[..<room])
                )
            }
        }
        guard bytes[room] == 0xEE else { throw Stuck() }
        return (progress, Array(bytes[..<progress.produced]))
    }
}

extension Inflater {
    init(
        windowBits: Int = 15,
        noContextTakeover: Bool = false,
        freesIdleStream: Bool = false,
        maximum: Int = 1 << 30,
        ratio: Int = .max
    ) {
        self.init(
            windowBits: windowBits,
            noContextTakeover: noContextTakeover,
            freesIdleStream: freesIdleStream,
            maximumMessageBytes: maximum,
            maximumRatio: ratio
        )
    }

    /// Inflates a payload in pieces and rooms of these sizes.
    mutating func inflate(
        _ payload: [UInt8],
        endsMessage: Bool = true,
        pieces: Int = .max,
        room: Int = 4096
    ) throws -> [UInt8] {
        var output: [UInt8] = []
        var rest = payload[...]
        repeat {
            var piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(piece.count)
            var calls = 0
            while true {
                let (progress, bytes) = try inflateOnce(
                    piece,
                    endsMessage: endsMessage && rest.isEmpty,
                    room: room
                )
                output += bytes
                piece.removeFirst(progress.consumed)
                if progress.isComplete { break }
                calls += 1
                guard calls < 10_000_000 else { throw Stuck() }
            }
        } while !rest.isEmpty
        return output
    }

    mutating func inflateOnce(
        _ piece: [UInt8],
        endsMessage: Bool,
        room: Int
    ) throws -> (DeflateProgress, [UInt8]) {
        var bytes = [UInt8](repeating: 0xEE, count: room + 1)
        let progress = try piece.withUnsafeBytes { input in
            try bytes.withUnsafeMutableBytes { output in
                try inflate(
                    input,
                    endsMessage: endsMessage,
                    into: UnsafeMutableRawBufferPointer(rebasing: output[..<room])
                )
            }
        }
        guard bytes[room] == 0xEE else { throw Stuck() }
        return (progress, Array(bytes[..<progress.produced]))
    }
}

/// An endless loop, or a write past the room.
struct Stuck: Error {}
