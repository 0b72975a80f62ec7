/// Why compressing or inflating can't go on; the stream can't be used afterwards.
package enum DeflateFailure: Error, Sendable, Hashable {
    /// The peer's data is not DEFLATE, or a message ends inside a block.
    case corruptData
    /// The message inflates to more than this many bytes.
    case messageTooBig(maximum: Int)
    /// The message inflates to more than this many times its size.
    case ratioTooHigh(maximum: Int)
    /// There wasn't enough memory for a stream.
    case outOfMemory
    /// zlib failed with this code, which means that an option was out of its range.
    case library(code: Int)
}

/// The result of one call of a compressor or decompressor.
package struct DeflateProgress: Sendable, Hashable {
    /// How many bytes of the input it took; pass the rest again.
    package var consumed = 0
    /// How many bytes it wrote to the output.
    package var produced = 0
    /// Whether everything was done; if not, there was too little room.
    package var isComplete = false
}
