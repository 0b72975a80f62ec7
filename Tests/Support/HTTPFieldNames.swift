public import HTTPTypes

/// Lets tests write any field's name as a literal.
///
/// Tests only: in a library, such a conformance would collide with that of others.
extension HTTPField.Name: @retroactive ExpressibleByStringLiteral {
    public init(stringLiteral name: String) {
        guard let name = Self(name) else { preconditionFailure("not a field's name: \(name)") }
        self = name
    }
}

extension HTTPFields {
    /// Adds a field.
    public mutating func append(name: HTTPField.Name, value: String) {
        append(HTTPField(name: name, value: value))
    }
}
