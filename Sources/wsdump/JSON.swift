import WebSocketClient

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// JSON (RFC 8259) on one line, safe to show on a terminal.
enum JSON {
    /// A value's members in alphabetical order.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(value), as: UTF8.self)
        guard text.unicodeScalars.contains(where: Escaping.isHarmful) else { return text }
        // Outside strings JSON is ASCII, so only characters inside strings are left to escape.
        var result = ""
        for scalar in text.unicodeScalars {
            if Escaping.isHarmful(scalar) {
                // All harmful characters are below U+10000.
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The JSON object for an event: text as `data`, everything else as `base64`.
    static func line(_ event: Event, seconds: Double) throws -> String {
        var line = EventLine(seconds: seconds)
        switch event {
        case .frame(let frame):
            line.type = Transcript.name(frame.opcode)
            if !frame.isFinal { line.final = false }
            if frame.isText, let text = String(validating: frame.payload, as: UTF8.self) {
                line.data = text
            } else {
                line.base64 = Base64.encode(frame.payload)
            }
        case .close(let code, let reason):
            line.type = "close"
            line.code = code.rawValue
            line.reason = reason
        }
        return try self.line(line)
    }
}

private struct EventLine: Encodable {
    var seconds: Double
    var type = ""
    var final: Bool?
    var data: String?
    var base64: String?
    var code: UInt16?
    var reason: String?
}
