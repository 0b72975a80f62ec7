/// Why bytes could not be transferred.
///
/// Indirect, as each connection has room for one and few ever need it.
package indirect enum TransportError: Error, Sendable, Hashable {
    /// The deadline passed during this stage; nil if bytes were being transferred, as then the caller
    /// knows what they were.
    case timedOut(WebSocketError.Operation?)
    /// `abort()`, or the connection's wake-up, ended the call.
    case aborted
    /// Name resolution failed with getaddrinfo's `code`.
    case addressNotFound(host: String, code: Int32, text: String)
    /// No address of the host could be connected to.
    case connectFailed(host: String, attempts: [ConnectionAttempt])
    case system(call: String, ErrorNumber)
    case tls(TLSError)
    case proxy(ProxyError)
    /// An option or argument can't be used; nothing has been sent.
    case invalidArgument(String)
    /// The peer closed the TCP connection without TLS's close_notify: the end may have been forged.
    case truncated
}

extension TransportError: CustomStringConvertible {
    /// One sentence without secrets.
    package var description: String {
        switch self {
        case .timedOut(nil): "Time ran out during the transfer of bytes."
        case .truncated: "The peer ended the TLS connection without close_notify."
        default: WebSocketError(self, during: .connecting).description
        }
    }
}
