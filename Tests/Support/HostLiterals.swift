package import WebSocketProtocol

/// Lets tests write a host as a literal.
extension Host: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) {
        guard let host = try? Host(text) else { preconditionFailure("not a host: \(text)") }
        self = host
    }
}
