import CWebSocketZlib

/// Inflates whole pieces of data that may have been compressed.
enum Inflation {
    enum Format { case gzip, deflate }

    /// More than this is not shown: a small message can inflate to a thousand times its size.
    private static let maximumBytes = 16 << 20

    /// The data inflated, if it is a complete stream of that format and UTF-8; else `nil`.
    static func text(of data: [UInt8], format: Format) -> String? {
        guard let bytes = bytes(of: data, format: format) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    static func bytes(of data: [UInt8], format: Format) -> [UInt8]? {
        var stream = z_stream()
        // zlib's window bits: 16 more for gzip, negative for no header.
        let windowBits: Int32 = format == .gzip ? 15 + 16 : -15
        guard czlib_inflate_init(&stream, windowBits) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var output: [UInt8] = []
        var input = data
        let isComplete = input.withUnsafeMutableBufferPointer { buffer in
            stream.next_in = buffer.baseAddress
            stream.avail_in = UInt32(clamping: buffer.count)
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let result = piece.withUnsafeMutableBufferPointer { room in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    return inflate(&stream, Z_NO_FLUSH)
                }
                output += piece.prefix(piece.count - Int(stream.avail_out))
                guard output.count <= maximumBytes else { return false }
                if result == Z_STREAM_END {
                    if stream.avail_in == 0 { return true }
                    // RFC 1952 §2.2: a gzip file may have several members.
                    guard format == .gzip, inflateReset(&stream) == Z_OK else { return false }
                } else if result != Z_OK {
                    return false
                }
            }
        }
        return isComplete ? output : nil
    }
}
