// The character classes of RFC 9110, RFC 3986 and RFC 6265 that the handshake uses.

extension UInt8 {
    var isDigit: Bool { self &- 0x30 < 10 }

    var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }

    /// C0 controls, including the horizontal tab, and DEL.
    var isControl: Bool { self < 0x20 || self == 0x7F }

    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// `tchar`, RFC 9110 §5.6.2.
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default:
            isDigit || isLetter
        }
    }

    /// A byte that a field value may contain: visible, blank or beyond ASCII, RFC 9110 §5.5.
    var isFieldValueCharacter: Bool { !isControl || self == 0x09 }

    var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit.
    var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x41...0x46: self &- 0x37
        case 0x61...0x66: self &- 0x57
        default: nil
        }
    }
}

extension Collection<UInt8> {
    /// Whether this is a `token`, RFC 9110 §5.6.2.
    var isToken: Bool { !isEmpty && allSatisfy(\.isTokenCharacter) }

    func equalsIgnoringCase(_ other: some Collection<UInt8>) -> Bool {
        count == other.count && zip(self, other).allSatisfy { $0.lowercased == $1.lowercased }
    }

    /// The number written in decimal digits; nil for anything else and for what doesn't fit.
    var decimalValue: Int? {
        guard !isEmpty else { return nil }
        var value = 0
        for byte in self {
            guard byte.isDigit else { return nil }
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int(byte &- 0x30))
            guard !overflowed, !carried else { return nil }
            value = sum
        }
        return value
    }
}

extension BidirectionalCollection<UInt8> {
    /// Without the blanks at both ends (`OWS`, RFC 9110 §5.6.3).
    var trimmingBlanks: SubSequence {
        let leading = prefix { $0.isBlank }
        let rest = self[leading.endIndex...]
        var end = rest.endIndex
        while end > rest.startIndex {
            let previous = rest.index(before: end)
            guard rest[previous].isBlank else { break }
            end = previous
        }
        return rest[..<end]
    }
}

extension String {
    /// Whether both are the same bytes.
    ///
    /// `==` compares by canonical equivalence, by which U+212A equals K. A protocol's names are bytes.
    package func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension StringProtocol {
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.equalsIgnoringCase(other.utf8)
    }

    /// Without the blanks at both ends.
    var trimmingBlanks: String { String(decoding: Array(utf8).trimmingBlanks, as: UTF8.self) }
}

extension String {
    var asciiLowercased: String { String(decoding: utf8.map(\.lowercased), as: UTF8.self) }

    /// The text of bytes from the wire: UTF-8, or ISO 8859-1 if that isn't valid.
    ///
    /// RFC 9110 §5.5 leaves bytes beyond ASCII opaque; nothing is lost or refused this way.
    init(fieldText bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self) {
            self = text
        } else {
            self.init(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
    }
}

/// The elements of a comma-separated list of tokens, without blanks and empty elements.
///
/// RFC 9110 §5.6.1.2: a recipient "MUST parse and ignore a reasonable number of empty list elements".
func tokenList(_ value: String) -> [String] {
    value.utf8.split(separator: UInt8(ascii: ","))
        .map { String(decoding: $0.trimmingBlanks, as: UTF8.self) }
        .filter { !$0.isEmpty }
}
