// A peer's text ends up in logs and on terminals. Terminals obey control characters, and characters
// that change the direction of text can disguise a line as another.

extension StringProtocol {
    /// The text on one line, with all characters escaped that a terminal would obey.
    package var escapingControls: String {
        guard unicodeScalars.contains(where: \.isHarmful) else { return String(self) }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isHarmful {
                result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension String {
    /// The text in quotation marks, on one line, with all characters escaped that a terminal would
    /// obey.
    package var quoted: String { debugDescription.escapingControls }
}

extension Unicode.Scalar {
    /// Control characters of ASCII and ISO 6429 except the tab, line and paragraph separators, and
    /// characters that change the direction of text.
    package var isHarmful: Bool {
        switch value {
        case 0x09: false
        case 0...0x1F, 0x7F...0x9F: true
        case ..<0x500: false
        case 0x2028, 0x2029, 0x206A...0x206F: true
        default: properties.isBidiControl
        }
    }
}
