package import HTTPTypes

// What a trace shows of header fields.

extension HTTPFields {
    /// A line for each field, without what authorises: three asterisks stand for cookies, for
    /// credentials, tokens and keys as far as the field's name tells them, and for the query and the
    /// credentials of a `Location`.
    package var redactedLines: String {
        map { field in
            let value =
                if Self.isSecret(name: field.name) {
                    "***"
                } else if field.name == .location {
                    field.value.contains("@") ? "***" : field.value.hidingQuery.legible
                } else {
                    field.value.legible
                }
            return "\(field.name): \(value)"
        }.joined(separator: "\n")
    }

    /// Whether the value of a field of that name is for one origin's eyes only.
    package static func isSecret(name: HTTPField.Name) -> Bool {
        secretWords.contains { name.canonicalName.contains($0) }
    }

    private static let secretWords = [
        "authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "auth-key",
    ]
}

extension String {
    /// A URL, or the target of a request, with three asterisks for the query and the fragment, which
    /// often hold a token.
    package var hidingQuery: String {
        guard let mark = unicodeScalars.firstIndex(where: { $0 == "?" || $0 == "#" }) else {
            return self
        }
        return String(unicodeScalars[...mark]) + "***"
    }
}
