import HTTPTypes
import WebSocketProtocol

/// Bodies of refusals: the same in pieces of any size, and never longer than the limit.
enum BodyFuzz {
    private static let maximumBytes = 512

    static func run(_ input: inout Input) throws(Finding) {
        let framing = input.byte()
        let sizes = input.pieceSizes()
        let bytes = input.rest
        let fields = fields(framing)
        let whole = try outcome(bytes, fields, .whole)
        let split = try outcome(bytes, fields, sizes)
        try require(whole.decoder.body == split.decoder.body, "another body in pieces")
        try require(
            whole.decoder.isComplete == split.decoder.isComplete,
            "complete in one way only"
        )
        if whole.decoder.isComplete {
            try require(whole.taken == split.taken, "its end is elsewhere in pieces")
        }
        try chunked(Array(bytes.prefix(maximumBytes)), chunkSize: sizes.second, sizes)
    }

    private static func fields(_ choice: UInt8) -> HTTPFields {
        switch choice & 3 {
        case 0: [.transferEncoding: "gzip, Chunked"]
        case 1: [.contentLength: "\(Int(choice) * 4)"]
        case 2: [.contentLength: "9223372036854775807"]
        default: [:]
        }
    }

    private static func outcome(
        _ bytes: [UInt8],
        _ fields: HTTPFields,
        _ sizes: PieceSizes
    ) throws(Finding) -> (decoder: HTTPBodyDecoder, taken: Int) {
        var decoder = HTTPBodyDecoder(
            statusCode: 404,
            fields: fields,
            maximumBytes: maximumBytes
        )
        var taken = 0
        for piece in sizes.pieces(of: bytes) {
            let count = decoder.receive(Array(piece))
            try require(count == piece.count || decoder.hasEnded, "bytes left lying")
            taken += count
        }
        decoder.finish()
        try require(decoder.body.count <= maximumBytes, "more than the limit")
        return (decoder, taken)
    }

    /// A chunked body arrives unchanged.
    private static func chunked(
        _ body: [UInt8],
        chunkSize: Int,
        _ sizes: PieceSizes
    ) throws(Finding) {
        var bytes: [UInt8] = []
        let chunks = PieceSizes(first: chunkSize, second: chunkSize).pieces(of: body)
        for chunk in chunks {
            bytes += "\(String(chunk.count, radix: 16)) ;x=y\r\n".utf8 + chunk + "\r\n".utf8
        }
        bytes += "0\r\nX: y\r\n\r\n".utf8
        let made = try outcome(bytes + "HTTP".utf8, [.transferEncoding: "chunked"], sizes)
        try require(made.decoder.isComplete && made.decoder.body == body, "chunks are lost")
        try require(made.taken == bytes.count, "the end of the chunks is elsewhere")
    }
}
