import WebSocketProtocol

/// Folded header fields: a response with folds means the same as with spaces in their place, in pieces
/// of any size; a request with folds is refused.
enum FoldFuzz {
    private static let limits = {
        var limits = HTTPLimits()
        limits.maximumHeadBytes = 4096
        limits.maximumLineBytes = 1024
        limits.maximumFieldCount = 16
        return limits
    }()

    static func run(_ input: inout Input) throws(Finding) {
        let sizes = input.pieceSizes()
        let bytes = input.rest
        let head = Array("HTTP/1.1 200 OK\r\n".utf8) + bytes + Array("\r\n\r\n".utf8)
        let whole = try decode(head, .whole, as: StatusLine.self)
        let split = try decode(head, sizes, as: StatusLine.self)
        try require(whole?.fields == split?.fields, "other fields in pieces")
        try require((whole == nil) == (split == nil), "refused in one way only")
        guard let whole else { return }
        for field in whole.fields {
            try require(field.hasSendableValue, "a value that ends its line")
        }
        // A fold is shorter than the spaces that replace it: only the default limits are sure to allow
        // those.
        let unfolded = try decode(encode(whole), .whole, HTTPLimits(), as: StatusLine.self)
        try require(unfolded?.fields == whole.fields, "another meaning without folds")
        let request = try decode(
            Array("GET / HTTP/1.1\r\n".utf8) + bytes + Array("\r\n\r\n".utf8),
            .whole,
            as: RequestLine.self
        )
        try require(request == nil || !isInside(bytes), "a fold in a request")
    }

    /// Whether the first fold stands before the end of the head.
    private static func isInside(_ bytes: [UInt8]) -> Bool {
        // Including the end of the start line, which may be the first half of the head's end.
        let lines = Array("\r\n".utf8) + bytes
        let end = lines.indices.first { lines[$0...].starts(with: Array("\r\n\r\n".utf8)) }
        let head = lines.prefix(end ?? lines.count)
        return zip(head, head.dropFirst()).contains { $0 == 10 && ($1 == 32 || $1 == 9) }
    }

    private static func encode(_ head: HTTPHead<StatusLine>) -> [UInt8] {
        var output = Array("HTTP/1.1 200 OK\r\n".utf8)
        head.fields.encode(into: &output)
        return output
    }

    private static func decode<Line: HTTPStartLine>(
        _ bytes: [UInt8],
        _ sizes: PieceSizes,
        _ limits: HTTPLimits = limits,
        as line: Line.Type
    ) throws(Finding) -> HTTPHead<Line>? {
        var decoder = HTTPHeadDecoder<Line>(limits: limits)
        return try accepted { () throws(MalformedHTTP) in
            for piece in sizes.pieces(of: bytes) where decoder.head == nil {
                _ = try decoder.receive(Array(piece))
            }
            return decoder.head
        } ?? nil
    }
}
