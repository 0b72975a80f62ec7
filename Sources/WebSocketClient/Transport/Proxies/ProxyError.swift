// For `escapingControls`.
import struct WebSocketProtocol.Host

/// Why a proxy opened no tunnel.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ProxyError: Error, Sendable, Hashable {
    /// A SOCKS proxy requires credentials, or rejected those it was given.
    case authenticationFailed(String)
    /// An HTTP proxy answered CONNECT with a status other than 2xx; 407 asks for credentials.
    case refused(status: Int, reason: String)
    /// A SOCKS proxy answered the request with this reply code.
    case socksReply(version: Int, code: UInt8, text: String)
    /// The answer doesn't follow the proxy's protocol.
    case malformedAnswer(String)
    /// The proxy itself could not be reached.
    case unreachable(String)
    /// TLS with the proxy, not with the target, failed.
    case tls(TLSError)
    /// The target has no IPv4 address, and SOCKS 4 supports no other.
    case unsupportedAddress
    /// The proxy closed the connection before it answered.
    case closed
    /// The options or the environment describe a proxy that can't be used.
    case invalidConfiguration(String)
}

extension ProxyError {
    /// The HTTP status of a refused CONNECT; nil for other errors. 407 asks for credentials.
    public var statusCode: Int? {
        if case .refused(let status, _) = self { status } else { nil }
    }

    /// The reply code of a SOCKS proxy that refused the request; nil for other errors.
    public var socksReply: UInt8? {
        if case .socksReply(_, let code, _) = self { code } else { nil }
    }

    /// Whether the proxy requires credentials, or other ones.
    public var isAuthenticationFailure: Bool {
        switch self {
        case .authenticationFailed: true
        // Tinyproxy answers wrong credentials with 401.
        case .refused(let status, _): status == 407 || status == 401
        default: false
        }
    }
}

extension ProxyError: CustomStringConvertible {
    /// One sentence that says what happened; it holds no credential.
    public var description: String {
        switch self {
        case .authenticationFailed(let text): "The proxy refused the credentials: \(text)."
        case .refused(407, let reason):
            "The proxy requires credentials, or other ones: 407 \(reason.escapingControls)."
        case .refused(let status, let reason):
            "The proxy refused the tunnel: \(status) \(reason.escapingControls)."
        case .socksReply(let version, let code, let text):
            "The SOCKS\(version) proxy refused the request: \(text) (\(code))."
        case .malformedAnswer(let text): "The proxy's answer can't be understood. \(text)"
        case .unreachable(let text): "The proxy could not be reached. \(text)"
        case .tls(let failure): "TLS with the proxy: \(failure.description)"
        case .unsupportedAddress: "The target has no IPv4 address, and SOCKS 4 supports no other."
        case .closed: "The proxy closed the connection before it answered."
        case .invalidConfiguration(let text): "The proxy can't be used: \(text)."
        }
    }
}
