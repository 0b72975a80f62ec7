package import HTTPTypes

/// The head of an HTTP/1 message: its first line and its fields, RFC 9112 §2.1.
package struct HTTPHead<StartLine: HTTPStartLine>: Sendable {
    package var startLine: StartLine
    package var fields: HTTPFields
}

/// The first line of an HTTP/1 message.
package protocol HTTPStartLine: Sendable {
    /// The prefix of all such lines, so that a peer that speaks another protocol is detected by its
    /// first bytes; empty if there isn't one.
    static var beginning: [UInt8] { get }

    /// Whether a lone LF ends a line like CR LF (RFC 9112 §2.2: "a recipient MAY recognize").
    static var acceptsBareLineFeed: Bool { get }

    /// Whether a field may continue on a line that begins with a blank (RFC 9112 §5.2).
    static var acceptsFolds: Bool { get }

    /// Parses a line without its end.
    init?(_ line: ArraySlice<UInt8>)
}

/// The first line of a response, RFC 9112 §4.
package struct StatusLine: HTTPStartLine, Hashable {
    package var minorVersion: UInt8
    package var statusCode: Int
    package var reasonPhrase: String

    package static let beginning = Array("HTTP/1.".utf8)
    // Small servers send it, and there is no later recipient that could read it differently.
    package static let acceptsBareLineFeed = true
    package static let acceptsFolds = true

    package init?(_ line: ArraySlice<UInt8>) {
        // RFC 9112 §4 demands a space even before an empty reason; many servers omit it.
        let parts = line.split(
            separator: UInt8(ascii: " "),
            maxSplits: 2,
            omittingEmptySubsequences: false
        )
        guard parts.count >= 2, let minorVersion = HTTPVersion.minorVersion(parts[0]),
            parts[1].count == 3, let statusCode = parts[1].decimalValue, statusCode >= 100
        else { return nil }
        let reason = parts.count == 3 ? parts[2] : []
        guard reason.allSatisfy(\.isFieldValueCharacter) else { return nil }
        self.minorVersion = minorVersion
        self.statusCode = statusCode
        self.reasonPhrase = String(fieldText: reason.trimmingBlanks)
    }
}

/// The first line of a request, RFC 9112 §3.
package struct RequestLine: HTTPStartLine, Hashable {
    package var method: String
    package var target: String
    package var minorVersion: UInt8

    package static let beginning: [UInt8] = []
    // If a proxy in front reads the bytes differently, one request becomes two.
    package static let acceptsBareLineFeed = false
    package static let acceptsFolds = false

    package init?(_ line: ArraySlice<UInt8>) {
        let parts = line.split(
            separator: UInt8(ascii: " "),
            omittingEmptySubsequences: false
        )
        guard parts.count == 3, parts[0].isToken, !parts[1].isEmpty,
            !parts[1].contains(where: { $0.isControl || $0 >= 0x80 }),
            let minorVersion = HTTPVersion.minorVersion(parts[2])
        else { return nil }
        self.method = String(decoding: parts[0], as: UTF8.self)
        self.target = String(decoding: parts[1], as: UTF8.self)
        self.minorVersion = minorVersion
    }
}

private enum HTTPVersion {
    /// The digit after `HTTP/1.`.
    static func minorVersion(_ text: ArraySlice<UInt8>) -> UInt8? {
        guard text.count == 8, text.starts(with: StatusLine.beginning), let digit = text.last,
            digit.isDigit
        else { return nil }
        return digit & 0x0F
    }
}
