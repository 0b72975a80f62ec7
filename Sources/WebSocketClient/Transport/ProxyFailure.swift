/// What a proxy refused, or what was wrong with its answer.
package enum ProxyFailure: Error, Sendable, Hashable {
    /// The proxy wants credentials, or doesn't accept those it got (HTTP 407, SOCKS 5 sub-negotiation).
    case authenticationFailed(String)
    /// An HTTP proxy answered CONNECT with another status than 2xx.
    case refused(status: Int, reason: String)
    /// A SOCKS proxy answered the request with this reply code.
    case socksReply(version: Int, code: UInt8, text: String)
    /// The answer is not one of the protocol.
    case malformedAnswer(String)
    /// The proxy closed the connection before it answered.
    case closed
    /// The proxy's description in the environment can't be understood.
    case invalidConfiguration(String)
}

extension ProxyFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .authenticationFailed(let text): "The proxy refused the credentials: \(text)."
        case .refused(let status, let reason):
            "The proxy refused the tunnel: \(status) \(reason)."
        case .socksReply(let version, let code, let text):
            "The SOCKS\(version) proxy refused the request: \(text) (\(code))."
        case .malformedAnswer(let text): "The proxy's answer can't be understood: \(text)."
        case .closed: "The proxy closed the connection before it answered."
        case .invalidConfiguration(let text): "The proxy can't be used: \(text)."
        }
    }
}
