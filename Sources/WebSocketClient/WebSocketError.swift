/// Everything that the client throws.
///
/// websocket-client's exceptions have a case each, so that porting is renaming. The facts are in the
/// cases; no text needs to be parsed.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public indirect enum WebSocketError: Error, Sendable {
    /// The caller's argument or option can't be used; nothing has been sent. (`ValueError`)
    case invalidArgument(String)
    /// The string isn't a valid WebSocket URL. (`ValueError`)
    case invalidURL(InvalidURL)
    /// The host has no address; `code` is getaddrinfo's. (`WebSocketAddressException`)
    case addressNotFound(host: String, code: Int32, description: String)
    /// No address of the host could be connected to; one attempt for each. (`ConnectionRefusedError`)
    case connectFailed(host: String, attempts: [ConnectionAttempt])
    /// The proxy refused or failed. (`WebSocketProxyException`)
    case proxy(ProxyError)
    /// TLS failed. (`ssl.SSLError`)
    case tls(TLSError)
    /// The server's answer opens no connection. (`WebSocketException`)
    case handshakeFailed(HandshakeFailure)
    /// The server answered with a status other than 101. (`WebSocketBadStatusException`)
    case badStatus(HandshakeResponse)
    /// The peer broke the protocol or a limit; a close frame with the violation's code was sent.
    /// (`WebSocketProtocolException`)
    case protocolViolation(ProtocolViolation)
    /// Text wasn't UTF-8; `offset` is that of the first byte that can't be right. If it came
    /// from the peer, a close frame with 1007 was sent; if from the caller, nothing was sent.
    /// (`WebSocketPayloadException`)
    case invalidPayload(offset: Int)
    /// The connection has ended. (`WebSocketConnectionClosedException`)
    case connectionClosed(ConnectionEnd)
    /// Time ran out. The connection stays usable, unless it was being opened.
    /// (`WebSocketTimeoutException`)
    case timedOut(Operation)
    /// The task was cancelled after its message had been accepted: the rest of it goes out before the
    /// next one, so don't send it again. Any other cancelled call throws `CancellationError`.
    case cancelled(Operation)
    /// `abort()` or `shutdown()` ended the call.
    case aborted
    /// A batch was interrupted; `sent` of its messages have gone out or will.
    case batchInterrupted(sent: Int, cause: WebSocketError)
    /// A system call failed; `number` is errno.
    case system(call: String, number: Int32, description: String)
}

extension WebSocketError: CustomStringConvertible {
    /// One sentence that says what failed; it holds no credential and no payload.
    public var description: String {
        switch self {
        case .invalidArgument(let text): text
        case .invalidURL(let reason): reason.description
        case .addressNotFound(let host, let code, let text):
            "The address of \(host) was not found: \(text) (getaddrinfo \(code))."
        case .connectFailed(let host, let attempts):
            "No connection to \(host): \(attempts.map(\.description).joined(separator: "; "))."
        case .proxy(let error): error.description
        case .tls(let error): error.description
        case .handshakeFailed(let failure): failure.description
        case .badStatus(let response):
            "The server answered with status \(response)"
                + (response.excerpt.map { ": \($0)" } ?? ".")
        case .protocolViolation(let violation): violation.description
        case .invalidPayload(let offset): "The text is not UTF-8 at byte \(offset)."
        case .connectionClosed(let end): end.description
        case .timedOut(let operation): "Time ran out during \(operation)."
        case .cancelled(let operation): "The task was cancelled during \(operation)."
        case .aborted: "The connection was aborted."
        case .batchInterrupted(let sent, let cause):
            "The batch was interrupted after \(sent) messages: \(cause)"
        case .system(let call, _, let text): "\(call) failed: \(text)."
        }
    }
}

extension WebSocketError {
    /// The error for a rule that the peer broke.
    init(_ violation: ProtocolViolation) {
        if case .invalidUTF8(let offset) = violation.rule {
            self = .invalidPayload(offset: offset)
        } else {
            self = .protocolViolation(violation)
        }
    }

    /// The one place where the transport's errors become the client's.
    init(_ error: TransportError, during operation: Operation) {
        switch error {
        case .timedOut(let stage): self = .timedOut(stage ?? operation)
        case .aborted: self = .aborted
        case .addressNotFound(let host, let code, let text):
            self = .addressNotFound(host: host, code: code, description: text)
        case .connectFailed(let host, let attempts):
            self = .connectFailed(host: host, attempts: attempts)
        case .system(let call, let number):
            let stage = operation == .handshake ? " during \(operation)" : ""
            self = .system(
                call: call,
                number: number.rawValue,
                description: "\(number)\(stage)"
            )
        case .tls(let error): self = .tls(error)
        case .proxy(let error): self = .proxy(error)
        case .invalidArgument(let text): self = .invalidArgument(text)
        case .truncated: self = .connectionClosed(ConnectionEnd(cause: error.description))
        }
    }
}
