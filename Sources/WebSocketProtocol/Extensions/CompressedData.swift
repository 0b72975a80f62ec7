/// Data that a program compressed as a whole, independently of permessage-deflate.
package enum CompressedData {
    package enum Format: Sendable {
        /// RFC 1952, one member or several.
        case gzip
        /// RFC 1951, without a header.
        case deflate
    }

    private static let pieceBytes = 64 << 10

    /// The inflated data; `nil` unless the data is exactly one complete stream of the format, and at
    /// most `maximumBytes` when inflated.
    package static func inflate(
        _ data: [UInt8],
        format: Format,
        maximumBytes: Int
    ) -> [UInt8]? {
        var stream = DeflateStream(
            format == .gzip ? .gzipDecompressor : .decompressor(windowBits: 15)
        )
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        var position = 0
        while true {
            let result = data.withUnsafeBytes { input in
                piece.withUnsafeMutableBytes { room in
                    Result { () throws(DeflateFailure) in
                        let rest = UnsafeRawBufferPointer(rebasing: input[position...])
                        return try stream.decompress(rest, into: room)
                    }
                }
            }
            guard let (step, isAtEnd) = try? result.get() else { return nil }
            position += step.consumed
            output += piece[..<step.produced]
            guard output.count <= maximumBytes else { return nil }
            if isAtEnd {
                if position == data.count { return output }
                // RFC 1952 §2.2: a gzip file may have several members.
                guard format == .gzip else { return nil }
                stream.reset()
            } else if step.consumed == 0, step.produced == 0 {
                // The data is incomplete.
                return nil
            }
        }
    }
}
