/// The header fields of a request or a response, in their order; names match in any case.
///
/// ```swift
/// var fields: HTTPFields = ["Authorization": "Bearer …", "X-Trace": "1"]
/// fields.append(name: "X-Trace", value: "2")
/// print(fields["x-trace"] ?? "none")     // 1
/// print(fields.values(of: "X-TRACE"))    // ["1", "2"]
/// ```
///
/// Anything can be stored; what can't be sent (``isValidName(_:)``, ``isValidValue(_:)``) is
/// refused when a handshake is made of it, before a byte goes out.
public struct HTTPFields: Sendable, Hashable {
    /// One header field.
    public struct Field: Sendable, Hashable {
        /// The name as it was written.
        public var name: String
        /// The value, without the blanks around it.
        public var value: String

        /// Makes a field of a name and a value.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    private var storage: [Field] = []

    /// Makes an empty list.
    public init() {}

    /// Makes a list of names and values, in their order.
    public init(_ pairs: some Sequence<(String, String)>) {
        storage = pairs.map { Field(name: $0.0, value: $0.1) }
    }

    /// Makes a list of lines such as `"X-Trace: 1"`, the form that websocket-client takes.
    ///
    /// - Throws: `InvalidHandshakeRequest.fieldName` for a line without a colon.
    public init(lines: [String]) throws {
        for line in lines {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw InvalidHandshakeRequest.fieldName(InvalidHandshakeRequest.readable(line))
            }
            let value = line[colon...].dropFirst().trimmingBlanks
            append(name: String(line[..<colon]), value: value)
        }
    }

    /// The first value of that name; setting replaces all of them, nil removes them.
    public subscript(name: String) -> String? {
        get { storage.first { $0.name.equalsIgnoringCase(name) }?.value }
        set {
            let position = storage.firstIndex { $0.name.equalsIgnoringCase(name) }
            storage.removeAll { $0.name.equalsIgnoringCase(name) }
            guard let newValue else { return }
            storage.insert(
                Field(name: name, value: newValue),
                at: position ?? storage.endIndex
            )
        }
    }

    /// All values of that name, in their order.
    public func values(of name: String) -> [String] {
        storage.filter { $0.name.equalsIgnoringCase(name) }.map(\.value)
    }

    /// All values of that name joined by a comma, which RFC 9110 §5.3 makes equal to one field; nil
    /// if there is none.
    public func joinedValue(of name: String) -> String? {
        let values = values(of: name)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// Whether there is a field of that name.
    public func contains(_ name: String) -> Bool {
        storage.contains { $0.name.equalsIgnoringCase(name) }
    }

    /// Adds a field at the end, whether or not there is one of that name.
    public mutating func append(name: String, value: String) {
        storage.append(Field(name: name, value: value))
    }

    /// Whether that can be a field's name: a `token`, RFC 9110 §5.1.
    public static func isValidName(_ name: String) -> Bool { name.utf8.isToken }

    /// Whether that can be a field's value: no CR, LF, NUL or other control character but the tab,
    /// RFC 9110 §5.5.
    public static func isValidValue(_ value: String) -> Bool {
        value.utf8.allSatisfy(\.isFieldValueCharacter)
    }

    /// Whether the elements of a comma-separated field include that token, in any case.
    package func listContains(_ token: String, in name: String) -> Bool {
        values(of: name).contains { value in
            tokenList(value).contains { $0.equalsIgnoringCase(token) }
        }
    }

    /// Adds the fields and the empty line to an encoded head.
    func encode(into output: inout [UInt8]) {
        for field in storage {
            output += field.name.utf8
            output += ": ".utf8
            output += field.value.utf8
            output += "\r\n".utf8
        }
        output += "\r\n".utf8
    }
}

extension HTTPFields: RandomAccessCollection {
    /// The position of the first field.
    public var startIndex: Int { storage.startIndex }
    /// The position after the last field.
    public var endIndex: Int { storage.endIndex }
    /// The field at a position.
    public subscript(position: Int) -> Field { storage[position] }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// Makes a list of a literal, in its order; a name may stand in it more than once.
    public init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }
}

extension HTTPFields: CustomStringConvertible {
    /// A line for each field, without what authorises: three asterisks stand for cookies, for
    /// credentials, tokens and keys as far as the field's name tells them, and for the query and the
    /// credentials of a `Location`.
    public var description: String {
        storage.map { field in
            let value =
                if Self.isSecret(name: field.name) {
                    "***"
                } else if field.name.equalsIgnoringCase("Location") {
                    field.value.contains("@") ? "***" : field.value.hidingQuery.legible
                } else {
                    field.value.legible
                }
            return "\(field.name): \(value)"
        }.joined(separator: "\n")
    }

    /// Whether the value of a field of that name is for one origin's eyes only.
    package static func isSecret(name: String) -> Bool {
        let name = name.asciiLowercased
        return secretWords.contains { name.contains($0) }
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
