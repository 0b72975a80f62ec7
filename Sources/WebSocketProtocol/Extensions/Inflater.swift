/// Inflates the messages of permessage-deflate, RFC 7692 §7.2.2, within limits that are checked as
/// output is produced.
///
/// Pass a message's payload in any number of pieces. Pass each piece again, without the bytes consumed,
/// and with more room, until it is complete:
///
/// ```
/// repeat {
///     let progress = try inflater.inflate(input, endsMessage: frame.isFinal, into: room)
///     input = UnsafeRawBufferPointer(rebasing: input[progress.consumed...])
///     // progress.produced bytes of room are the message's next ones.
/// } while !progress.isComplete
/// ```
///
/// A decompression bomb takes no more memory than the room it is given. If a sender looks back further
/// than agreed, inflating fails where zlib no longer has those bytes, and succeeds elsewhere.
package struct Inflater: ~Copyable, Sendable {
    private var stream: DeflateStream
    private let takesContextOver: Bool
    private let freesIdleStream: Bool
    private let maximumBytes: Int
    private let maximumRatio: Int

    /// How much of the current message came in and went out.
    private var inputCount = 0
    private var outputCount = 0
    /// How many of the bytes that the sender removed from the end have been put back.
    private var tailCount = 0
    /// Whether the output was full, so that zlib may hold more.
    private var mayHaveMore = false
    /// Whether a block with the final bit ended the DEFLATE stream.
    private var isAtStreamEnd = false

    /// Below this size, the ratio isn't checked.
    private static let ratioFreeBytes = 1 << 20
    private static let tail = UInt32(0x0000_FFFF).bigEndian

    /// Makes a decompressor for a sender that looks back 2^`windowBits` bytes, 8 to 15.
    package init(
        windowBits: Int,
        noContextTakeover: Bool,
        freesIdleStream: Bool = false,
        maximumMessageBytes: Int,
        maximumRatio: Int
    ) {
        stream = DeflateStream(.decompressor(windowBits: windowBits))
        takesContextOver = !noContextTakeover
        self.freesIdleStream = freesIdleStream
        // One more than the maximum is counted to.
        maximumBytes = min(max(0, maximumMessageBytes), .max - 1)
        self.maximumRatio = max(1, maximumRatio)
    }

    /// Inflates a piece of a message; any room will do, even one byte.
    package mutating func inflate(
        _ input: UnsafeRawBufferPointer,
        endsMessage: Bool,
        into output: UnsafeMutableRawBufferPointer
    ) throws(DeflateFailure) -> DeflateProgress {
        var progress = DeflateProgress()
        while progress.consumed < input.count || mayHaveMore {
            guard progress.produced < output.count else { return progress }
            let rest = UnsafeRawBufferPointer(rebasing: input[progress.consumed...])
            progress.consumed += try step(rest, into: output, produced: &progress.produced)
        }
        if endsMessage {
            guard try endMessage(into: output, produced: &progress.produced) else {
                return progress
            }
        }
        progress.isComplete = true
        return progress
    }

    /// RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload".
    ///
    /// Returns whether the message is complete.
    private mutating func endMessage(
        into output: UnsafeMutableRawBufferPointer,
        produced: inout Int
    ) throws(DeflateFailure) -> Bool {
        // After a final block nothing was removed, unless the sender added the beginning of an empty
        // block (§7.2.3.4); and nothing was removed from an empty payload, which the RFC doesn't
        // provide for.
        while !isAtStreamEnd, inputCount > 0, tailCount < 4 || mayHaveMore {
            guard produced < output.count else { return false }
            tailCount += try withUnsafeBytes(of: Self.tail) { tail throws(DeflateFailure) in
                let rest = UnsafeRawBufferPointer(rebasing: tail[tailCount...])
                return try step(rest, into: output, produced: &produced)
            }
        }
        guard isAtStreamEnd || stream.isBetweenBlocks else { throw .corruptData }
        inputCount = 0
        outputCount = 0
        tailCount = 0
        guard !takesContextOver else { return true }
        isAtStreamEnd = false
        if freesIdleStream { stream.close() } else { stream.reset() }
        return true
    }

    /// One call to zlib, within the limits; returns how many bytes of the input it took.
    private mutating func step(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer,
        produced: inout Int
    ) throws(DeflateFailure) -> Int {
        if isAtStreamEnd {
            // A final block ends a DEFLATE stream, not the message: another may follow at once.
            isAtStreamEnd = false
            stream.restartKeepingContext()
        }
        // One byte beyond the limit is enough to detect it.
        let room = UnsafeMutableRawBufferPointer(
            rebasing: output[produced...].prefix(maximumBytes - outputCount + 1)
        )
        let (progress, isAtEnd) = try stream.decompress(input, into: room)
        inputCount += progress.consumed
        outputCount += progress.produced
        produced += progress.produced
        isAtStreamEnd = isAtEnd
        mayHaveMore = progress.produced == room.count && !isAtEnd
        try checkLimits()
        return progress.consumed
    }

    private func checkLimits() throws(DeflateFailure) {
        guard outputCount <= maximumBytes else { throw .messageTooBig(maximum: maximumBytes) }
        guard outputCount > Self.ratioFreeBytes, outputCount / maximumRatio > inputCount else {
            return
        }
        throw .ratioTooHigh(maximum: maximumRatio)
    }
}
