import HTTPTypes

/// Finds and parses the head of an HTTP/1 message in a stream that arrives in any pieces.
///
/// Each line is parsed when its end has arrived, so byte by byte costs no more than all at once, and no
/// more than the limits allow is ever kept.
package struct HTTPHeadDecoder<StartLine: HTTPStartLine>: Sendable {
    /// The head, once all of it is there.
    package private(set) var head: HTTPHead<StartLine>?

    /// The bytes taken so far.
    package private(set) var byteCount = 0

    private let limits: HTTPLimits
    private var line: [UInt8] = []
    private var startLine: StartLine?
    private var fields = HTTPFields()
    /// The last field so far, which the next line may continue.
    private var openField: (name: HTTPField.Name, value: [UInt8])?
    /// The number of the line being read; 1 is the first one after the start line.
    private var lineNumber = 0

    package init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

    /// Takes the next bytes of the stream, up to the end of the head and no further.
    ///
    /// Returns how many were taken; the rest follows the head.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(MalformedHTTP) -> Int {
        var taken = 0
        while head == nil, taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            let lineFeed = rest.firstIndex(of: UInt8(ascii: "\n"))
            let piece = rest.prefix(lineFeed.map { $0 + 1 } ?? rest.count)
            byteCount += piece.count
            taken += piece.count
            guard byteCount <= limits.maximumHeadBytes else {
                throw .headTooLong(maximum: limits.maximumHeadBytes)
            }
            guard line.count + piece.count <= limits.maximumLineBytes + 2 else {
                throw .lineTooLong(maximum: limits.maximumLineBytes)
            }
            line += piece
            if startLine == nil, !line.isEmpty,
                !zip(line, StartLine.beginning).allSatisfy({ $0 == $1 })
            {
                throw .notHTTP
            }
            if lineFeed != nil { try endLine() }
        }
        return taken
    }

    /// Takes the next bytes from an array.
    package mutating func receive(_ bytes: [UInt8]) throws(MalformedHTTP) -> Int {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(MalformedHTTP) in try receive(bytes) }
    }

    private mutating func endLine() throws(MalformedHTTP) {
        var text = line.dropLast()
        if text.last == UInt8(ascii: "\r") {
            text = text.dropLast()
        } else if !StartLine.acceptsBareLineFeed {
            throw .bareLineFeed
        }
        if let startLine {
            lineNumber += 1
            if text.isEmpty {
                closeField()
                head = HTTPHead(startLine: startLine, fields: fields)
            } else if let first = text.first, first.isBlank {
                try foldIn(text.trimmingBlanks)
            } else {
                try addField(text)
            }
        } else {
            guard let parsed = StartLine(text) else { throw .startLine }
            startLine = parsed
        }
        line.removeAll(keepingCapacity: true)
    }

    private mutating func addField(_ text: ArraySlice<UInt8>) throws(MalformedHTTP) {
        closeField()
        let maximum = min(limits.maximumFieldCount, HTTPFields.maximumCount)
        guard fields.count < maximum else { throw .tooManyFields(maximum: maximum) }
        let name = text.prefix { $0 != UInt8(ascii: ":") }
        let value = text.dropFirst(name.count + 1).trimmingBlanks
        // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
        guard name.count < text.count,
            let name = HTTPField.Name(String(decoding: name, as: UTF8.self)),
            value.allSatisfy(\.isFieldValueCharacter)
        else { throw .fieldLine(lineNumber) }
        openField = (name, Array(value))
    }

    /// A line that continues the one before (`obs-fold`): a user agent "MUST replace each received
    /// obs-fold with one or more SP octets" (RFC 9112 §5.2), a server may refuse it.
    private mutating func foldIn(_ text: ArraySlice<UInt8>) throws(MalformedHTTP) {
        guard StartLine.acceptsFolds else { throw .foldedLine(max(1, lineNumber - 1)) }
        // There is no field to continue: RFC 9112 §2.2. Check only the lengths: a second reference to
        // the value would make each append copy it.
        guard let nameLength = openField?.name.rawName.utf8.count,
            let valueLength = openField?.value.count, text.allSatisfy(\.isFieldValueCharacter)
        else { throw .fieldLine(lineNumber) }
        guard nameLength + 2 + valueLength + 1 + text.count <= limits.maximumLineBytes else {
            throw .lineTooLong(maximum: limits.maximumLineBytes)
        }
        guard !text.isEmpty else { return }
        if valueLength > 0 { openField?.value.append(UInt8(ascii: " ")) }
        openField?.value += text
    }

    private mutating func closeField() {
        guard let (name, value) = openField.take() else { return }
        // The raw bytes, which needn't be UTF-8.
        fields.append(HTTPField(name: name, value: value))
    }
}
