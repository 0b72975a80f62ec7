/// Why compressing or inflating can't go on; the stream is of no use afterwards.
package enum DeflateFailure: Error, Sendable, Hashable {
    /// The peer's data is not DEFLATE, or a message ends inside a block.
    case corruptData
    /// The message inflates to more than that many bytes.
    case messageTooBig(maximum: Int)
    /// The message inflates to more than that many times its size.
    case ratioTooHigh(maximum: Int)
    /// There is no memory for a stream.
    case outOfMemory
    /// zlib refuses, with that code; it means that an option was out of its range.
    case library(code: Int)
}

/// What one call of a compressor or decompressor did.
package struct DeflateProgress: Sendable, Hashable {
    /// How many bytes of the input it took; the rest is to be given again.
    package var consumed = 0
    /// How many bytes it wrote to the output.
    package var produced = 0
    /// Whether all that was asked for is done; if not, there was too little room.
    package var isComplete = false
}
