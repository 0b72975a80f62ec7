import WebSocketClient

/// Something that is shown: a frame that has arrived, or the end.
enum Event {
    case frame(Opcode, [UInt8], isFinal: Bool)
    /// The peer's close frame.
    case close(CloseCode, reason: String)
}

/// Turns what happens into lines.
struct Transcript: Sendable {
    var isVerbose = false
    var showsTimings = false
    var isJSON = false
    let start = ContinuousClock.now

    /// The line for an event; `nil` if it is not shown.
    func line(_ event: Event, at now: ContinuousClock.Instant = .now) -> String? {
        let seconds = start.duration(to: now) / .seconds(1)
        if isJSON { return JSON.line(event, seconds: seconds) }
        guard let text = text(event) else { return nil }
        return showsTimings ? "\(seconds): \(text)" : text
    }

    private func text(_ event: Event) -> String? {
        switch event {
        case .frame(let opcode, let payload, _):
            let data =
                opcode == .text
                ? Legible.text(String(decoding: payload, as: UTF8.self)) : Legible.data(payload)
            return isVerbose ? "\(Self.name(opcode)): \(data)" : data
        case .close(let code, let reason):
            guard isVerbose else { return nil }
            let words = reason.isEmpty ? "" : " " + Legible.text(reason)
            return "close: \(code)\(words)"
        }
    }

    /// websocket-client's words.
    static func name(_ opcode: Opcode) -> String {
        opcode == .continuation ? "cont" : "\(opcode)"
    }
}

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
                members.append("\"base64\":\"\(base64(payload))\"")
            }
        case .close(let code, let reason):
            members.append("\"type\":\"close\"")
            members.append("\"code\":\(code)")
            members.append("\"reason\":\(string(reason))")
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// A string literal (RFC 8259 §7); control characters are escaped, C1 and DEL too.
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case 0x09: result += "\\t"
            case 0...0x1F, 0x7F...0x9F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        )
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for index in 0..<3 {
                bits = bits << 8 | UInt32(index < group.count ? group[start + index] : 0)
            }
            for index in 0..<4 {
                let digit = alphabet[Int(bits >> (18 - 6 * UInt32(index)) & 63)]
                result.append(index <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
