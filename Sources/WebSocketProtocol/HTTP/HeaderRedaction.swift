package import HTTPTypes

// Header fields as a trace shows them. It hides more than it has to, as traces end up in logs and bug
// reports.

extension HTTPFields {
    /// A line for each field, with three asterisks in place of possible credentials: values of fields
    /// whose names suggest them, subprotocols that carry a token, and the query and credentials of a
    /// `Location`.
    package var redactedLines: String {
        map { "\($0.name): \(Self.redactedValue($0))" }.joined(separator: "\n")
    }

    private static func redactedValue(_ field: HTTPField) -> String {
        switch field.name {
        case .secWebSocketKey, .secWebSocketAccept: field.value.escapingControls
        case .secWebSocketProtocol: redactedSubprotocols(field.value).escapingControls
        case .location, .contentLocation, .referer, .origin:
            field.value.utf8.contains(UInt8(ascii: "@"))
                ? "***" : field.value.hidingQuery.escapingControls
        default: isSecret(name: field.name) ? "***" : field.value.escapingControls
        }
    }

    /// Whether a field's name suggests that its value is a credential.
    package static func isSecret(name: HTTPField.Name) -> Bool {
        hasSecretWord(name.canonicalName)
    }

    /// Subprotocols up to the first one that announces or looks like a token: some services expect
    /// tokens there, as browsers can't set other fields.
    private static func redactedSubprotocols(_ value: String) -> String {
        var shown: [String] = []
        for name in tokenList(value) {
            guard name.utf8.count <= 40, !hasSecretWord(name.asciiLowercased) else {
                shown.append("***")
                break
            }
            shown.append(name)
        }
        return shown.joined(separator: ", ")
    }

    private static func hasSecretWord(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return secretWords.contains { word in
            bytes.indices.contains { bytes[$0...].starts(with: word.utf8) }
        }
    }

    private static let secretWords = [
        "auth", "cookie", "token", "secret", "passw", "pwd", "key", "session", "jwt", "bearer",
        "sign",
        "credential", "csrf", "xsrf", "sid", "api", "assertion", "otp", "nonce", "challenge",
        "ticket",
        "digest", "cert",
    ]
}

extension String {
    /// A URL, or the target of a request, with three asterisks for the query and the fragment, which
    /// often hold a token.
    package var hidingQuery: String {
        let isMark = { (byte: UInt8) in byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") }
        guard let mark = utf8.firstIndex(where: isMark) else { return self }
        return String(decoding: utf8[...mark], as: UTF8.self) + "***"
    }
}
