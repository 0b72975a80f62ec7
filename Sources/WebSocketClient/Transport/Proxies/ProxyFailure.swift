// For `escapingControls`: a module is visible to members by any import of it.
import struct WebSocketProtocol.Host

/// What a proxy refused, or what was wrong with its answer.
package enum ProxyFailure: Error, Sendable, Hashable {
    /// A SOCKS proxy wants credentials, or doesn't accept those it got.
    case authenticationFailed(String)
    /// An HTTP proxy answered CONNECT with another status than 2xx; 407 asks for credentials.
    case refused(status: Int, reason: String)
    /// A SOCKS proxy answered the request with this reply code.
    case socksReply(version: Int, code: UInt8, text: String)
    /// The answer is not one of the protocol.
    case malformedAnswer(String)
    /// The connection to the proxy itself could not be made.
    case unreachable(String)
    /// TLS with the proxy, not with the target, failed.
    case tls(TLSFailure)
    /// The target has no address of the kind that the protocol can name.
    case unsupportedAddress
    /// The proxy closed the connection before it answered.
    case closed
    /// The proxy's description in the environment can't be understood.
    case invalidConfiguration(String)
}

extension ProxyFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .authenticationFailed(let text): "The proxy refused the credentials: \(text)."
        case .refused(407, let reason):
            "The proxy wants credentials, or other ones: 407 \(reason.escapingControls)."
        case .refused(let status, let reason):
            "The proxy refused the tunnel: \(status) \(reason.escapingControls)."
        case .socksReply(let version, let code, let text):
            "The SOCKS\(version) proxy refused the request: \(text) (\(code))."
        case .malformedAnswer(let text): "The proxy's answer can't be understood. \(text)"
        case .unreachable(let text): "The proxy could not be reached. \(text)"
        case .tls(let failure): "TLS with the proxy: \(failure.description)"
        case .unsupportedAddress: "The target has no IPv4 address, and SOCKS 4 knows no other."
        case .closed: "The proxy closed the connection before it answered."
        case .invalidConfiguration(let text): "The proxy can't be used: \(text)."
        }
    }
}
