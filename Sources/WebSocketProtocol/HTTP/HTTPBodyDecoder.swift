package import HTTPTypes

/// Collects the body of a response, for people to read: part of it is better than nothing.
///
/// Nothing here fails: a body that is malformed or too long ends there, and is marked as incomplete
/// (RFC 9112 §6).
package struct HTTPBodyDecoder: Sendable {
    /// The body so far, chunks joined.
    package private(set) var body: [UInt8] = []
    /// Whether no more of the body will be taken.
    package private(set) var hasEnded = false
    /// Whether the body is complete by its framing.
    package private(set) var isComplete = false

    private enum Framing {
        case length(remaining: Int)
        case untilEnd
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailer
    }

    private var framing: Framing
    private let maximumBytes: Int
    private var line: [UInt8] = []
    private var trailerBytes = 0

    /// A chunk's size takes at most 16 digits; the rest of the line is extensions, which nobody uses.
    private static let maximumLineBytes = 1024
    private static let maximumTrailerBytes = 8192

    /// Makes a decoder for the body that follows a head, RFC 9112 §6.3.
    package init(statusCode: Int, fields: HTTPFields, maximumBytes: Int) {
        self.maximumBytes = maximumBytes
        if statusCode < 200 || statusCode == 204 || statusCode == 304 {
            framing = .length(remaining: 0)
        } else if fields.contains(.transferEncoding) {
            let codings = fields[values: .transferEncoding].flatMap(tokenList)
            let isChunked = codings.last?.equalsIgnoringCase("chunked") ?? false
            framing = isChunked ? .chunkSize : .untilEnd
        } else if let length = Self.contentLength(fields) {
            framing = .length(remaining: length)
        } else {
            framing = .untilEnd
        }
        if case .length(0) = framing { end(isComplete: true) }
    }

    /// Takes the next bytes of the stream; returns how many of them belong to the body.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while !hasEnded, taken < bytes.count {
            taken += take(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
        }
        return taken
    }

    /// Takes the next bytes from an array.
    package mutating func receive(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { receive($0) }
    }

    /// Notes that the stream has ended, which ends a body without a length.
    package mutating func finish() {
        guard !hasEnded else { return }
        if case .untilEnd = framing { end(isComplete: true) } else { end(isComplete: false) }
    }

    /// The body's length; nil if it isn't given, or several contradict each other.
    private static func contentLength(_ fields: HTTPFields) -> Int? {
        let lengths = fields[values: .contentLength].flatMap(tokenList).map(\.utf8.decimalValue)
        guard let first = lengths.first, lengths.allSatisfy({ $0 == first }) else { return nil }
        return first
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch framing {
        case .untilEnd:
            keep(bytes)
            return bytes.count
        case .length(let remaining):
            let piece = bytes.prefix(remaining)
            keep(UnsafeRawBufferPointer(rebasing: piece))
            framing = .length(remaining: remaining - piece.count)
            if piece.count == remaining, !hasEnded { end(isComplete: true) }
            return piece.count
        case .chunk(let remaining):
            let piece = bytes.prefix(remaining)
            keep(UnsafeRawBufferPointer(rebasing: piece))
            framing =
                piece.count == remaining ? .chunkEnd : .chunk(remaining: remaining - piece.count)
            return piece.count
        case .chunkSize, .chunkEnd, .trailer:
            return takeLine(bytes)
        }
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        let room = maximumBytes - body.count
        body += bytes.prefix(room)
        if bytes.count > room { end(isComplete: false) }
    }

    private mutating func takeLine(_ bytes: UnsafeRawBufferPointer) -> Int {
        let lineFeed = bytes.firstIndex(of: UInt8(ascii: "\n"))
        let piece = bytes.prefix(lineFeed.map { $0 + 1 } ?? bytes.count)
        guard line.count + piece.count <= Self.maximumLineBytes else {
            end(isComplete: false)
            return piece.count
        }
        line += piece
        if lineFeed != nil {
            var text = line.dropLast()
            if text.last == UInt8(ascii: "\r") { text = text.dropLast() }
            endLine(text)
            line.removeAll(keepingCapacity: true)
        }
        return piece.count
    }

    private mutating func endLine(_ text: ArraySlice<UInt8>) {
        switch framing {
        case .chunkSize:
            guard let size = Self.chunkSize(text) else { return end(isComplete: false) }
            framing = size == 0 ? .trailer : .chunk(remaining: size)
        case .chunkEnd:
            guard text.isEmpty else { return end(isComplete: false) }
            framing = .chunkSize
        default:
            trailerBytes += text.count
            if text.isEmpty { return end(isComplete: true) }
            if trailerBytes > Self.maximumTrailerBytes { end(isComplete: false) }
        }
    }

    /// `chunk-size [ chunk-ext ]`, RFC 9112 §7.1.
    private static func chunkSize(_ text: ArraySlice<UInt8>) -> Int? {
        let digits = text.prefix { $0 != UInt8(ascii: ";") }.trimmingBlanks
        // 15 digits can't overflow.
        guard (1...15).contains(digits.count) else { return nil }
        var size = 0
        for digit in digits {
            guard let value = digit.hexadecimalValue else { return nil }
            size = size << 4 | Int(value)
        }
        return size
    }

    private mutating func end(isComplete: Bool) {
        hasEnded = true
        self.isComplete = isComplete
    }
}
