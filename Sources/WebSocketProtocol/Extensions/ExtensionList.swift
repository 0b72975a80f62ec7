/// One extension in a `Sec-WebSocket-Extensions` field, RFC 6455 §9.1.
package struct ExtensionElement: Sendable, Hashable {
    package struct Parameter: Sendable, Hashable {
        package var name: String
        package var value: String?
    }

    package var name: String
    package var parameters: [Parameter]

    package init(name: String, parameters: [Parameter] = []) {
        self.name = name
        self.parameters = parameters
    }

    /// The element as written in the field; values are tokens and need no quotes.
    package var text: String {
        parameters.reduce(name) { text, parameter in
            text + "; " + parameter.name + (parameter.value.map { "=" + $0 } ?? "")
        }
    }

    /// Parses the values of all such fields, in their order; nil if one is malformed.
    ///
    ///     extension-list = 1#extension
    ///     extension = extension-token *( ";" extension-param )
    ///     extension-param = token [ "=" (token | quoted-string) ]
    ///
    /// Blanks around separators and empty list elements are accepted, as RFC 9110 §5.6.1.2 and
    /// §5.6.3 ask of recipients.
    package static func parse(_ values: [String]) -> [ExtensionElement]? {
        var elements: [ExtensionElement] = []
        for value in values {
            var scanner = Scanner(rest: Array(value.utf8)[...])
            guard let parsed = scanner.list() else { return nil }
            elements += parsed
        }
        return elements
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func list() -> [ExtensionElement]? {
            var elements: [ExtensionElement] = []
            repeat {
                skipBlanks()
                guard let next = rest.first, next != UInt8(ascii: ",") else { continue }
                guard let element = element() else { return nil }
                elements.append(element)
            } while take(",")
            return rest.isEmpty ? elements : nil
        }

        private mutating func element() -> ExtensionElement? {
            guard let name = token() else { return nil }
            var element = ExtensionElement(name: name)
            while take(";") {
                skipBlanks()
                guard let name = token() else { return nil }
                var parameter = Parameter(name: name)
                if take("=") {
                    skipBlanks()
                    guard let value = take("\"") ? quotedToken() : token() else { return nil }
                    parameter.value = value
                }
                element.parameters.append(parameter)
            }
            return element
        }

        /// The rest of a quoted string.
        ///
        /// RFC 6455 §9.1: "When using the quoted-string syntax variant, the value after
        /// quoted-string unescaping MUST conform to the 'token' ABNF."
        private mutating func quotedToken() -> String? {
            var text: [UInt8] = []
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""):
                    return text.isToken ? String(decoding: text, as: UTF8.self) : nil
                case UInt8(ascii: "\\"):
                    guard let escaped = rest.popFirst() else { return nil }
                    text.append(escaped)
                default:
                    text.append(byte)
                }
            }
            return nil
        }

        private mutating func token() -> String? {
            let text = rest.prefix { $0.isTokenCharacter }
            rest = rest.dropFirst(text.count)
            return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
        }

        /// Consumes this separator and the blanks before it, if it comes next.
        private mutating func take(_ separator: Unicode.Scalar) -> Bool {
            skipBlanks()
            guard let next = rest.first, next == UInt8(ascii: separator) else { return false }
            rest = rest.dropFirst()
            return true
        }

        private mutating func skipBlanks() { rest = rest.drop { $0.isBlank } }
    }
}
