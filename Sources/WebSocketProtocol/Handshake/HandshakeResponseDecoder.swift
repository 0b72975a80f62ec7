/// Reads a server's answer to the opening handshake from a stream that arrives in any pieces.
///
/// Interim responses are skipped. After a 101 the decoder takes nothing more: frames follow.
/// The body of any other status is collected.
package struct HandshakeResponseDecoder: Sendable {
    /// Whether the answer is complete, or no more of it will be taken.
    package private(set) var isComplete = false

    private let limits: HTTPLimits
    private var head: FinalHeadDecoder
    private var body: HTTPBodyDecoder?

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        head = FinalHeadDecoder(limits: limits)
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
                if let head = head.head { endHead(head) }
            }
            if let body, body.hasEnded { isComplete = true }
        }
        return taken
    }

    /// Takes the next bytes from an array.
    package mutating func receive(_ bytes: [UInt8]) throws(MalformedHTTP) -> Int {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(MalformedHTTP) in try receive(bytes) }
    }

    /// Notes that the stream has ended.
    ///
    /// Throws if that was inside the head; a body may end in this way.
    package mutating func finish() throws(MalformedHTTP) {
        guard head.head != nil else { throw .incomplete(bytes: head.byteCount) }
        body?.finish()
        isComplete = true
    }

    private mutating func endHead(_ head: HTTPHead<StatusLine>) {
        let statusCode = head.startLine.statusCode
        if statusCode == 101 {
            isComplete = true
        } else {
            body = HTTPBodyDecoder(
                statusCode: statusCode,
                fields: head.fields,
                maximumBytes: limits.maximumBodyBytes
            )
        }
    }
}
