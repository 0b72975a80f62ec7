/// How a connection ended.
public struct ConnectionEnd: Sendable, Hashable {
    /// The contents of the peer's close frame; `nil` if none came.
    public var received: ClosePayload?
    /// The contents of this end's close frame; `nil` if none was sent.
    public var sent: ClosePayload?
    /// Why there was no closing handshake, in words; `nil` if there was one.
    public var cause: String?
    /// How many accepted messages didn't go out as a whole, 0 unless one of two options is used: messages
    /// that were corked, and messages that the close frame overtook because control frames may not wait
    /// for them.
    public var unsentMessages = 0

    /// Makes the description of an end.
    ///
    /// - Parameters:
    ///   - received: The contents of the peer's close frame.
    ///   - sent: The contents of this end's close frame.
    ///   - cause: Why there was no closing handshake.
    public init(received: ClosePayload? = nil, sent: ClosePayload? = nil, cause: String? = nil) {
        self.received = received
        self.sent = sent
        self.cause = cause
    }

    /// The peer's code; 1005 if its close frame had none, 1006 if there was no close frame
    /// (RFC 6455 §7.1.5).
    public var code: CloseCode {
        guard let received else { return .abnormalClosure }
        return received.code ?? .noStatusReceived
    }

    /// The peer's reason; empty if it gave none.
    public var reason: String { received?.reason ?? "" }

    /// Whether the peer closed cleanly: with 1000, 1001 or no code.
    public var isClean: Bool {
        received != nil && [.normalClosure, .goingAway, .noStatusReceived].contains(code)
    }
}

extension ConnectionEnd: CustomStringConvertible {
    /// One sentence with the code and the reason, or the cause.
    public var description: String {
        let loss =
            unsentMessages == 0 ? "" : " Not sent, though accepted: \(unsentMessages) messages."
        if let cause { return "The connection was lost: \(Self.phrase(cause)).\(loss)" }
        // Escaped, as the peer's text ends up in logs and on terminals.
        let words = reason.isEmpty ? "" : ", \(reason.quoted)"
        return "The connection is closed (code \(code)\(words)).\(loss)"
    }

    /// Another error's description, without its full stop, to be part of this sentence.
    private static func phrase(_ cause: String) -> String {
        let words = cause.hasSuffix(".") ? cause.dropLast() : cause[...]
        return words.hasPrefix("The ") ? "the " + words.dropFirst(4) : String(words)
    }
}
