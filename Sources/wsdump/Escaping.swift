import WebSocketClient

/// A peer's data, in a form that is safe on a terminal.
enum Escaping {
    /// Text with its control characters escaped, except tabs and line breaks.
    ///
    /// Terminals obey escape sequences: without this, a server could write to the clipboard, change the
    /// title, or hide text.
    static func text(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHarmful) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                result += escape(scalar.value)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Bytes as Python shows them: printable ASCII as it is, everything else escaped.
    static func bytes(_ bytes: some Collection<UInt8>) -> String {
        let apostrophe = UInt8(ascii: "'")
        let quote = bytes.contains(apostrophe) && !bytes.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        var result = "b" + quote
        for byte in bytes {
            switch byte {
            case 0x09: result += "\\t"
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case UInt8(ascii: "\\"): result += "\\\\"
            case apostrophe: result += quote == "'" ? "\\'" : "'"
            case 0x20...0x7E: result.unicodeScalars.append(UnicodeScalar(byte))
            default: result += escape(UInt32(byte))
            }
        }
        return result + quote
    }

    /// Binary data: the decompressed text if it is compressed text, otherwise the bytes.
    static func data(_ payload: [UInt8]) -> String {
        if payload.starts(with: [0x1F, 0x8B]) {
            if let text = inflatedText(payload, .gzip) { return "[gzip] " + self.text(text) }
        } else if let text = inflatedText(payload, .deflate) {
            return "[zlib] " + self.text(text)
        }
        return bytes(payload)
    }

    /// More than this is not shown: a small message can inflate to a thousand times its size.
    private static let maximumInflatedBytes = 16 << 20

    private static func inflatedText(
        _ payload: [UInt8],
        _ format: CompressedData.Format
    ) -> String? {
        let bytes = CompressedData.inflate(
            payload,
            format: format,
            maximumBytes: maximumInflatedBytes
        )
        return bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Whether it is harmful anywhere; line feeds aren't.
    static func isHarmful(_ scalar: Unicode.Scalar) -> Bool { scalar.isHarmful && scalar != "\n" }

    /// A character by its number, as in `\x1b`.
    static func escape(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return value < 0x100
            ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{" + digits + "}"
    }
}
