package import HTTPTypes

// Header fields are swift-http-types' `HTTPFields`. That type silently repairs values that can't be
// sent: a line break or NUL becomes a space. Text from callers is therefore checked before it becomes a
// field, and refused if need be.

extension HTTPFields {
    /// The most fields that the type can hold; one more would trap.
    package static let maximumCount = Int(UInt16.max) - 1

    /// Makes fields from names and values, in order; a name may occur more than once.
    package init(checking pairs: some Sequence<(String, String)>) throws(InvalidHandshakeRequest) {
        self.init()
        for (name, value) in pairs { append(try HTTPField(checking: name, value)) }
    }

    /// Makes fields from lines such as `"X-Trace: 1"`, the form that websocket-client takes.
    package init(checking lines: [String]) throws(InvalidHandshakeRequest) {
        self.init()
        for line in lines {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw .fieldName(InvalidHandshakeRequest.readable(line))
            }
            let value = String(line[colon...].dropFirst())
            append(try HTTPField(checking: String(line[..<colon]), value))
        }
    }

    /// Adds fields in place of those of the same names.
    package mutating func replace(with others: HTTPFields) {
        for field in others { self[field.name] = nil }
        append(contentsOf: others)
    }

    /// Whether the elements of a comma-separated field include this token, in any case.
    package func listContains(_ token: String, in name: HTTPField.Name) -> Bool {
        self[values: name].contains { value in
            tokenList(value).contains { $0.equalsIgnoringCase(token) }
        }
    }

    /// Adds the fields and the empty line to an encoded head.
    package func encode(into output: inout [UInt8]) {
        for field in self {
            output += field.name.rawName.utf8
            output += ": ".utf8
            field.withUnsafeBytesOfValue { output += $0 }
            output += "\r\n".utf8
        }
        output += "\r\n".utf8
    }
}

extension HTTPField {
    /// Makes a field from text; throws if the name or the value can't be sent (RFC 9110 §5.1, §5.5).
    package init(checking name: String, _ value: String) throws(InvalidHandshakeRequest) {
        guard let known = Name(name) else {
            throw .fieldName(InvalidHandshakeRequest.readable(name))
        }
        guard value.utf8.allSatisfy(\.isFieldValueCharacter) else {
            throw .fieldValue(name: name)
        }
        self.init(name: known, value: value)
    }

    /// Whether the value contains no control character except the tab, RFC 9110 §5.5.
    package var hasSendableValue: Bool {
        withUnsafeBytesOfValue { $0.allSatisfy(\.isFieldValueCharacter) }
    }
}

extension HTTPField.Name {
    /// `Host`, which swift-http-types leaves out, as its requests have an authority.
    package static let hostField = {
        guard let name = Self("Host") else { preconditionFailure("a token") }
        return name
    }()
}
