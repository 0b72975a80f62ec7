import WebSocketClient

/// JSON, as far as it is needed.
enum JSON {
    /// One object on one line: text as `data`, all else as `base64`.
    static func line(_ event: Event, seconds: Double) -> String {
        var members = ["\"seconds\":\(seconds)"]
        switch event {
        case .frame(let opcode, let payload, let isFinal):
            members.append("\"type\":\"\(Transcript.name(opcode))\"")
            if !isFinal { members.append("\"final\":false") }
            if opcode == .text, let text = String(validating: payload, as: UTF8.self) {
                members.append("\"data\":\(string(text))")
            } else {
                members.append("\"base64\":\"\(Base64.encode(payload))\"")
            }
        case .close(let code, let reason):
            members.append("\"type\":\"close\"")
            members.append("\"code\":\(code)")
            members.append("\"reason\":\(string(reason))")
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// A string literal (RFC 8259 §7); whatever would do a terminal harm is escaped.
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where Legible.isHarmful(scalar):
                // All of them are below U+10000.
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
