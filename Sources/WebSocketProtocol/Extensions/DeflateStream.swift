// The only file that knows zlib.
import CWebSocketZlib

/// A DEFLATE stream, made when first needed; raw (RFC 1951) except for ``Kind/gzipDecompressor``.
///
/// The `z_stream` has its own memory because zlib keeps a pointer to it.
struct DeflateStream: ~Copyable, @unchecked Sendable {
    // Safe to send: one owner has the stream, and zlib ties no stream to a thread.
    private var stream: UnsafeMutablePointer<z_stream>?
    private let kind: Kind
    /// Whether a decompressor is between two blocks and at a byte boundary.
    private(set) var isBetweenBlocks = true

    /// The result of one call of zlib.
    struct Step {
        var consumed = 0
        var produced = 0
    }

    enum Kind {
        case compressor(level: Int, windowBits: Int, memoryLevel: Int, DeflateOptions.Strategy)
        case decompressor(windowBits: Int)
        /// Of gzip files (RFC 1952).
        case gzipDecompressor
    }

    enum Flush {
        /// Keep input back if it compresses better together with what follows.
        case none
        /// Write everything, except for the bits of an incomplete byte.
        case block
        /// Write everything, and end at a byte boundary with the empty block `00 00 FF FF`.
        case sync
    }

    init(_ kind: Kind) { self.kind = kind }

    deinit { Self.free(stream, kind) }

    /// Frees zlib's memory; the next call makes a new stream.
    mutating func close() {
        Self.free(stream, kind)
        stream = nil
        isBetweenBlocks = true
    }

    /// Makes the stream unless it exists.
    mutating func open() throws(DeflateFailure) {
        guard stream == nil else { return }
        let new = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        new.initialize(to: z_stream())
        let code: Int32
        switch kind {
        case .compressor(let level, let windowBits, let memoryLevel, let strategy):
            // zlib has no raw compressor for a window of 2^8. One of 2^9 stays within it all the same:
            // its matches reach back at most 512 - 262 = 250 bytes (MAX_DIST in deflate.h).
            code = czlib_deflate_init(
                new,
                Int32(level),
                -Int32(max(9, windowBits)),
                Int32(memoryLevel),
                strategy.zlib
            )
        case .decompressor(let windowBits):
            code = czlib_inflate_init(new, -Int32(windowBits))
        case .gzipDecompressor:
            // zlib's windowBits: 16 more for gzip.
            code = czlib_inflate_init(new, 15 + 16)
        }
        guard code == Z_OK else {
            new.deallocate()
            throw DeflateFailure(code)
        }
        stream = new
    }

    /// Drops all input so far, and the context.
    mutating func reset() {
        guard let stream else { return }
        switch kind {
        case .compressor: deflateReset(stream)
        case .decompressor, .gzipDecompressor: inflateReset(stream)
        }
        isBetweenBlocks = true
    }

    /// Starts a new DEFLATE stream that may refer to the output of the one before.
    mutating func restartKeepingContext() {
        guard let stream else { return }
        inflateResetKeep(stream)
    }

    /// Compresses as much as input and room allow.
    mutating func compress(
        _ input: UnsafeRawBufferPointer,
        flush: Flush,
        into output: UnsafeMutableRawBufferPointer
    ) throws(DeflateFailure) -> Step {
        try open()
        return try run(input, into: output) { stream, isAllInput in
            deflate(stream, isAllInput ? flush.zlib : Z_NO_FLUSH)
        }.step
    }

    /// Inflates as much as input and room allow; says whether the DEFLATE stream has ended.
    mutating func decompress(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(DeflateFailure) -> (step: Step, isAtEnd: Bool) {
        try open()
        let (step, code) = try run(input, into: output) { stream, _ in
            inflate(stream, Z_SYNC_FLUSH)
        }
        // "inflate() sets strm->data_type to the number of unused bits …, plus 128 if inflate()
        // returned immediately after decoding an end-of-block code". A call that finds nothing to do
        // doesn't change the position, and yet clears the 128.
        if step.consumed > 0 || step.produced > 0, let stream {
            isBetweenBlocks = stream.pointee.data_type & 0xBF == 128
        }
        return (step, code == Z_STREAM_END)
    }

    private mutating func run(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer,
        _ body: (UnsafeMutablePointer<z_stream>, _ isAllInput: Bool) -> Int32
    ) throws(DeflateFailure) -> (step: Step, code: Int32) {
        // zlib takes no null pointer for an output without room.
        guard let stream, let room = output.baseAddress else { return (Step(), Z_OK) }
        let bytes = input.prefix(Self.maximumCount)
        let source = UnsafeMutableRawPointer(mutating: input.baseAddress)
        stream.pointee.next_in = source?.assumingMemoryBound(to: Bytef.self)
        stream.pointee.avail_in = uInt(bytes.count)
        stream.pointee.next_out = room.assumingMemoryBound(to: Bytef.self)
        stream.pointee.avail_out = uInt(min(output.count, Self.maximumCount))
        let roomCount = stream.pointee.avail_out
        let code = body(stream, bytes.count == input.count)
        let step = Step(
            consumed: bytes.count - Int(stream.pointee.avail_in),
            produced: Int(roomCount - stream.pointee.avail_out)
        )
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        // Z_BUF_ERROR means that there was nothing to do, which isn't an error.
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
            throw DeflateFailure(code)
        }
        return (step, code)
    }

    /// zlib counts in 32 bits.
    static let maximumCount = 1 << 30

    private static func free(_ stream: UnsafeMutablePointer<z_stream>?, _ kind: Kind) {
        guard let stream else { return }
        switch kind {
        case .compressor: deflateEnd(stream)
        case .decompressor, .gzipDecompressor: inflateEnd(stream)
        }
        stream.deallocate()
    }
}

extension DeflateStream.Flush {
    fileprivate var zlib: Int32 {
        switch self {
        case .none: Z_NO_FLUSH
        case .block: Z_BLOCK
        case .sync: Z_SYNC_FLUSH
        }
    }
}

extension DeflateOptions.Strategy {
    fileprivate var zlib: Int32 {
        switch self {
        case .standard: Z_DEFAULT_STRATEGY
        case .filtered: Z_FILTERED
        case .huffmanOnly: Z_HUFFMAN_ONLY
        case .runLength: Z_RLE
        case .fixedCodes: Z_FIXED
        }
    }
}

extension DeflateFailure {
    fileprivate init(_ code: Int32) {
        switch code {
        case Z_DATA_ERROR: self = .corruptData
        case Z_MEM_ERROR: self = .outOfMemory
        default: self = .library(code: Int(code))
        }
    }
}
