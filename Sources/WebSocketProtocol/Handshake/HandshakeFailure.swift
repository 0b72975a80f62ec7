/// Why a server's answer to the opening handshake opens no connection, RFC 6455 §4.1.
///
/// Each is the server's fault.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum HandshakeFailure: Error, Sendable, Hashable {
    /// The answer isn't HTTP, or exceeds a limit.
    case malformedResponse(MalformedHTTP)
    /// The status is not 101.
    case status(Int)
    /// The `Upgrade` field is missing or doesn't say `websocket`; carries its value.
    case upgrade(String?)
    /// The `Connection` field is missing or doesn't say `Upgrade`; carries its value.
    case connection(String?)
    /// The `Sec-WebSocket-Accept` field is missing.
    case missingAccept
    /// `Sec-WebSocket-Accept` doesn't belong to the key that was sent: an old answer, or a server
    /// that doesn't speak WebSocket.
    case wrongAccept
    /// The server chose a subprotocol that wasn't offered, or several.
    case unofferedSubprotocol(String)
    /// The server chose no subprotocol although one is required.
    case noSubprotocol
    /// `Sec-WebSocket-Extensions` doesn't follow its grammar.
    case malformedExtensions
    /// The server chose an extension that wasn't offered, or one twice.
    case unofferedExtension(String)
    /// The server's parameters for this extension fit none of the offers (RFC 7692 §5.1, §7).
    case unacceptableExtension(String)
    /// The server redirects in a way that this client doesn't follow.
    case redirect(RedirectFailure)

    /// The close code that stands for the failure: 1010 if it is about extensions (RFC 6455 §7.4.1),
    /// nil otherwise.
    ///
    /// No close frame is sent, as there is no connection to carry it.
    public var closeCode: CloseCode? {
        switch self {
        case .malformedExtensions, .unofferedExtension, .unacceptableExtension: .mandatoryExtension
        default: nil
        }
    }
}

extension HandshakeFailure: CustomStringConvertible {
    /// One sentence that says what is wrong with the answer.
    public var description: String {
        switch self {
        case .malformedResponse(let failure): failure.description
        case .status(let code): "The server answered with status \(code) instead of 101."
        case .upgrade(nil): "The server's answer has no Upgrade field."
        case .upgrade(let value?):
            "The server's Upgrade field says \"\(brief(value))\" instead of \"websocket\"."
        case .connection(nil): "The server's answer has no Connection field."
        case .connection(let value?):
            "The server's Connection field says \"\(brief(value))\" instead of \"Upgrade\"."
        case .missingAccept: "The server's answer has no Sec-WebSocket-Accept field."
        case .wrongAccept: "The server's Sec-WebSocket-Accept doesn't belong to this request."
        case .unofferedSubprotocol(let name):
            "The server chose the subprotocol \"\(brief(name))\", which was not offered."
        case .noSubprotocol: "The server chose none of the subprotocols, and one is required."
        case .malformedExtensions:
            "The server's Sec-WebSocket-Extensions field is malformed (close code 1010)."
        case .unofferedExtension(let name):
            "The server chose the extension \"\(brief(name))\", which was not offered (close code 1010)."
        case .unacceptableExtension(let name):
            "The server's parameters for \"\(brief(name))\" fit none of the offers (close code 1010)."
        case .redirect(let failure): failure.description
        }
    }
}

/// A server's text, shortened for a sentence.
private func brief(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(80)
    return String(shown).escapingControls + (shown.endIndex == text.endIndex ? "" : "…")
}

/// Why a redirect wasn't followed.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum RedirectFailure: Error, Sendable, Hashable {
    /// As many redirects as allowed have been followed.
    case tooMany(maximum: Int)
    /// The `Location` field is missing, or there are several.
    case location(count: Int)
    /// `Location` isn't a URL that this client can open.
    case invalidLocation(InvalidURL)
    /// It leads from wss to ws, and so would give up encryption.
    case downgrade
}

extension RedirectFailure: CustomStringConvertible {
    /// One sentence that says what is wrong with the redirect.
    public var description: String {
        switch self {
        case .tooMany(let maximum): "The server redirects more than \(maximum) times."
        case .location(let count): "The server's redirect has \(count) Location fields."
        case .invalidLocation(let reason): "The server redirects to an unusable URL: \(reason)"
        case .downgrade: "The server redirects from wss to ws."
        }
    }
}
