/// Reads a server's answer to the opening handshake from a stream that arrives in any pieces.
///
/// Interim responses are skipped (RFC 9110 §15.2: a client "MUST be able to parse one or more 1xx
/// responses … prior to a final response"). After a 101 the decoder takes nothing more: what follows
/// are frames. The body of any other status is collected.
package struct HandshakeResponseDecoder: Sendable {
    /// Whether the answer is all there, or all of it that will be taken.
    package private(set) var isComplete = false

    private let limits: HTTPLimits
    private var head: HTTPHeadDecoder<StatusLine>
    private var body: HTTPBodyDecoder?
    private var interimCount = 0
    private var interimBytes = 0

    private static let maximumInterimResponses = 8

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        head = HTTPHeadDecoder(limits: limits)
    }

    /// The answer, from the end of its head on, with as much of the body as there is.
    package var response: HandshakeResponse? {
        guard let head = head.head else { return nil }
        return HandshakeResponse(
            statusCode: head.startLine.statusCode,
            reasonPhrase: head.startLine.reasonPhrase,
            headers: head.fields,
            body: body?.body ?? [],
            isBodyComplete: body?.isComplete ?? true
        )
    }

    /// Takes the next bytes of the stream; returns how many of them belong to the answer.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(MalformedHTTP) -> Int {
        var taken = 0
        while !isComplete, taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            if body != nil {
                taken += body?.receive(rest) ?? 0
            } else {
                taken += try head.receive(rest)
                if let head = head.head { try endHead(head) }
            }
            if let body, body.hasEnded { isComplete = true }
        }
        return taken
    }

    /// Takes the next bytes from an array.
    package mutating func receive(_ bytes: [UInt8]) throws(MalformedHTTP) -> Int {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(MalformedHTTP) in try receive(bytes) }
        }
        return try result.get()
    }

    /// Tells that the stream has ended.
    ///
    /// Throws if that was inside the head; a body may end so.
    package mutating func finish() throws(MalformedHTTP) {
        guard head.head != nil else { throw .incomplete(bytes: interimBytes + head.byteCount) }
        body?.finish()
        isComplete = true
    }

    private mutating func endHead(_ head: HTTPHead<StatusLine>) throws(MalformedHTTP) {
        let statusCode = head.startLine.statusCode
        if statusCode == 101 {
            isComplete = true
        } else if statusCode < 200 {
            try skipInterimResponse()
        } else {
            body = HTTPBodyDecoder(
                statusCode: statusCode,
                fields: head.fields,
                maximumBytes: limits.maximumBodyBytes
            )
        }
    }

    private mutating func skipInterimResponse() throws(MalformedHTTP) {
        interimCount += 1
        interimBytes += head.byteCount
        var rest = limits
        rest.maximumHeadBytes -= interimBytes
        head = HTTPHeadDecoder(limits: rest)
        guard interimCount <= Self.maximumInterimResponses else {
            throw .tooManyInterimResponses(maximum: Self.maximumInterimResponses)
        }
    }
}
