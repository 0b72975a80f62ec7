/// Why bytes could not be transferred.
package enum TransportError: Error, Sendable, Hashable {
    /// The deadline passed during this stage; nil if bytes were being transferred, as then the caller
    /// knows what they were.
    case timedOut(WebSocketError.Operation?)
    /// `abort()`, or the connection's wake-up, ended the call.
    case aborted
    /// Name resolution failed with getaddrinfo's `code`.
    case addressNotFound(host: String, code: Int32, text: String)
    /// No address of the host could be connected to.
    case connectFailed(host: String, attempts: [ConnectAttempt])
    case system(call: String, ErrorNumber)
    case tls(TLSError)
    case proxy(ProxyError)
    /// An option or argument can't be used; nothing has been sent.
    case invalidArgument(String)
    /// The peer closed the TCP connection without TLS's close_notify: the end may have been forged.
    case truncated
}

/// A failed attempt to connect to one address.
package struct ConnectAttempt: Sendable, Hashable {
    /// Address and port as text, such as "[::1]:443".
    package let address: String
    package let error: ErrorNumber
    /// The system call that failed, if it wasn't the one that connects.
    package let call: String?

    package init(address: String, error: ErrorNumber, call: String? = nil) {
        self.address = address
        self.error = error
        self.call = call
    }
}

extension ConnectAttempt: CustomStringConvertible {
    /// Address and reason, such as "[::1]:443: Connection refused".
    package var description: String {
        call.map { "\(address): \($0): \(error)" } ?? "\(address): \(error)"
    }
}

extension TransportError: CustomStringConvertible {
    /// One sentence without secrets.
    package var description: String {
        switch self {
        case .timedOut(let stage):
            "Time ran out during \(stage?.description ?? "the transfer of bytes")."
        case .aborted: "The connection was aborted."
        case .addressNotFound(let host, let code, let text):
            "The address of \(host) was not found: \(text) (getaddrinfo \(code))."
        case .connectFailed(let host, let attempts):
            "No connection to \(host): "
                + attempts.map(\.description).joined(separator: "; ") + "."
        case .system(let call, let error): "\(call) failed: \(error)."
        case .tls(let failure): failure.description
        case .proxy(let failure): failure.description
        case .invalidArgument(let text): text
        case .truncated: "The peer ended the TLS connection without close_notify."
        }
    }
}
