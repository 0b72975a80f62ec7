/// Finds the head of the final response, for a handshake and for CONNECT alike.
///
/// Interim responses are skipped (RFC 9110 §15.2: a client "MUST be able to parse one or more 1xx
/// responses … prior to a final response"). 101 is final: the bytes after it aren't HTTP.
package struct FinalHeadDecoder: Sendable {
    /// The head, once all of it is there.
    package private(set) var head: HTTPHead<StatusLine>?

    private let limits: HTTPLimits
    private var decoder: HTTPHeadDecoder<StatusLine>
    private var interimCount = 0
    private var interimBytes = 0

    private static let maximumInterimResponses = 8

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        decoder = HTTPHeadDecoder(limits: limits)
    }

    /// The bytes taken so far, interim responses included.
    package var byteCount: Int { interimBytes + decoder.byteCount }

    /// Takes the next bytes of the stream, up to the end of the head and no further; returns how many
    /// were taken.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(MalformedHTTP) -> Int {
        var taken = 0
        while head == nil, taken < bytes.count {
            taken += try decoder.receive(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            guard let found = decoder.head else { continue }
            let status = found.startLine.statusCode
            if status >= 200 || status == 101 {
                head = found
            } else {
                try skipInterimResponse()
            }
        }
        return taken
    }

    /// Takes the next bytes from an array.
    package mutating func receive(_ bytes: [UInt8]) throws(MalformedHTTP) -> Int {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(MalformedHTTP) in try receive(bytes) }
    }

    private mutating func skipInterimResponse() throws(MalformedHTTP) {
        interimCount += 1
        interimBytes += decoder.byteCount
        var rest = limits
        rest.maximumHeadBytes -= interimBytes
        decoder = HTTPHeadDecoder(limits: rest)
        guard interimCount <= Self.maximumInterimResponses else {
            throw .tooManyInterimResponses(maximum: Self.maximumInterimResponses)
        }
    }
}
