/// Compresses messages for permessage-deflate, RFC 7692 §7.2.1, straight into the caller's memory.
///
/// Pass a message in any number of pieces. Pass each piece again, without the bytes consumed, and with
/// more room, until it is complete:
///
/// ```
/// repeat {
///     let progress = try deflater.compress(input, ending: .message, into: room)
///     input = UnsafeRawBufferPointer(rebasing: input[progress.consumed...])
///     // progress.produced bytes of room are part of the payload.
/// } while !progress.isComplete
/// ```
///
/// zlib's memory is allocated with the first message and kept, so that later ones allocate nothing.
package struct Deflater: ~Copyable, Sendable {
    /// What follows a piece.
    package enum Ending: Sendable {
        /// More of the message: output may be held back.
        case none
        /// More of the message, but the peer must be able to inflate everything so far.
        case fragment
        /// The message is complete.
        case message
    }

    /// Smaller messages are not worth compressing.
    package let threshold: Int

    private var stream: DeflateStream
    private let takesContextOver: Bool
    private let freesIdleStream: Bool

    /// Whether the peer can inflate all input so far, because nothing is held back.
    private var isFlushed = true
    /// Whether to drop the context before the next input.
    private var needsReset = false
    /// The last bytes of a flush, written when there is room; the next one is the lowest.
    private var staged: UInt64 = 0
    private var stagedCount = 0

    /// Makes a compressor that looks back 2^`windowBits` bytes, 8 to 15.
    package init(windowBits: Int, noContextTakeover: Bool, options: DeflateOptions) {
        stream = DeflateStream(
            .compressor(
                level: options.level,
                windowBits: windowBits,
                memoryLevel: options.memoryLevel,
                options.strategy
            )
        )
        threshold = options.threshold ?? (noContextTakeover ? 512 : 128)
        takesContextOver = !noContextTakeover
        freesIdleStream = options.freesIdleStreams
    }

    /// Compresses a piece of a message; any room will do, even one byte.
    package mutating func compress(
        _ input: UnsafeRawBufferPointer,
        ending: Ending,
        into output: UnsafeMutableRawBufferPointer
    ) throws(DeflateFailure) -> DeflateProgress {
        var progress = DeflateProgress()
        if stagedCount == 0 {
            if !input.isEmpty { beginInput() }
            // After a flush, an empty piece adds nothing, and zlib would not flush twice.
            if !isFlushed {
                let flush = ending == .none ? DeflateStream.Flush.none : .block
                let done = try stream.compress(input, flush: flush, into: output)
                progress.consumed = done.consumed
                progress.produced = done.produced
                guard progress.consumed == input.count else { return progress }
                // A full output may have left more behind.
                guard ending == .none || progress.produced < output.count else { return progress }
            }
            guard ending != .none else {
                progress.isComplete = true
                return progress
            }
            try stageEnd(ending)
        }
        progress.produced += putStaged(into: output, at: progress.produced)
        progress.isComplete = stagedCount == 0 && progress.consumed == input.count
        return progress
    }

    /// Compresses a whole message.
    package mutating func compress(
        message: UnsafeRawBufferPointer
    ) throws(DeflateFailure) -> [UInt8] {
        var output: [UInt8] = []
        output.removeSubrange(try compress(message: message, into: &output)...)
        return output
    }

    /// Compresses a whole message into the front of an array, which grows to the largest possible
    /// result; returns the length of the result.
    package mutating func compress(
        message: UnsafeRawBufferPointer,
        into output: inout [UInt8]
    ) throws(DeflateFailure) -> Int {
        let bound = Self.maximumCompressedBytes(message.count)
        if output.count < bound { output = [UInt8](repeating: 0, count: bound) }
        var consumed = 0
        var count = 0
        while true {
            if count == output.count { output += [UInt8](repeating: 0, count: count) }
            let rest = UnsafeRawBufferPointer(rebasing: message[consumed...])
            let result = output.withUnsafeMutableBytes { bytes in
                Result { () throws(DeflateFailure) in
                    try compress(
                        rest,
                        ending: .message,
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                    )
                }
            }
            let progress = try result.get()
            consumed += progress.consumed
            count += progress.produced
            if progress.isComplete { return count }
        }
    }

    /// Drops the context: later messages don't refer to earlier ones.
    ///
    /// For use between messages, after one that this compressor hasn't compressed, which is in the
    /// peer's context but not in its own.
    package mutating func resetContext() { needsReset = true }

    /// The most bytes that a message of `count` bytes compresses to, for sizing an output.
    package static func maximumCompressedBytes(_ count: Int) -> Int {
        // deflateBound's formula for any window and memory level, and the end of a message. Beyond 2^61
        // bytes, which don't fit into any memory, the formula overflows.
        guard count <= 1 << 61 else { return .max }
        return count + (count + 7) >> 3 + (count + 63) >> 6 + 16
    }

    private mutating func beginInput() {
        isFlushed = false
        guard needsReset else { return }
        needsReset = false
        stream.reset()
    }

    /// Ends at a byte boundary.
    ///
    /// zlib does that with an empty block without compression, whose last four bytes
    /// RFC 7692 §7.2.1 removes from the end of a message: "Remove 4 octets (that are 0x00 0x00 0xff
    /// 0xff) from the tail end." It is written elsewhere, so that it needn't be removed from output
    /// that may have left already.
    private mutating func stageEnd(_ ending: Ending) throws(DeflateFailure) {
        if !isFlushed {
            try stageFlush()
            isFlushed = true
            if ending == .message { stagedCount -= 4 }
        } else if ending == .message {
            // On a whole byte, the beginning of an empty block is a zero byte (§7.2.3.6).
            staged = 0
            stagedCount = 1
        }
        guard ending == .message, !takesContextOver else { return }
        if freesIdleStream { stream.close() } else { needsReset = true }
    }

    private mutating func stageFlush() throws(DeflateFailure) {
        // Up to ten bits of the previous block and of the empty block's header, and its four bytes.
        var scratch: (UInt64, UInt64) = (0, 0)
        stagedCount = try withUnsafeMutableBytes(of: &scratch) { bytes throws(DeflateFailure) in
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            return try stream.compress(nothing, flush: .sync, into: bytes).produced
        }
        staged = UInt64(littleEndian: scratch.0)
        guard (5...8).contains(stagedCount), staged >> (8 * (stagedCount - 4)) == 0xFFFF_0000 else {
            throw .library(code: 0)
        }
    }

    private mutating func putStaged(
        into output: UnsafeMutableRawBufferPointer,
        at start: Int
    ) -> Int {
        let count = min(stagedCount, output.count - start)
        for offset in 0..<count {
            output[start + offset] = UInt8(truncatingIfNeeded: staged)
            staged >>= 8
        }
        stagedCount -= count
        return count
    }
}
