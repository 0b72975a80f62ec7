/// A key on the keyboard, as line editors know them.
enum Key: Equatable {
    case scalar(Unicode.Scalar)
    case enter, backspace, delete, interrupt, endOfInput
    case left, right, up, down, home, end, wordLeft, wordRight
    case killToEnd, killToStart, killWord, killNextWord, yank, clearScreen
    case unknown
}

/// Decodes keys from the bytes that a terminal sends (ECMA-48, with xterm's additions).
struct KeyDecoder {
    private var sequence: [UInt8] = []
    /// Whether the next byte is taken literally, because it follows Ctrl-V.
    private var isQuoting = false
    private static let maximumSequence = 16
    /// Ctrl-V.
    private static let quote: UInt8 = 0x16

    /// The key that the byte completes, if any.
    mutating func decode(_ byte: UInt8) -> Key? {
        if isQuoting {
            isQuoting = false
            if byte < 0x20 || byte == 0x7F { return .scalar(Unicode.Scalar(byte)) }
        } else if sequence.isEmpty, byte == Self.quote {
            isQuoting = true
            return nil
        }
        // An incomplete character must not swallow the key after it.
        if let first = sequence.first, first >= 0x80, byte & 0xC0 != 0x80 { sequence = [] }
        sequence.append(byte)
        let key = Self.key(sequence)
        if key != nil || sequence.count > Self.maximumSequence { sequence = [] }
        return key
    }

    private static func key(_ bytes: [UInt8]) -> Key? {
        switch bytes[0] {
        case 0x1B: return escapeSequence(bytes.dropFirst())
        case 0...0x1F, 0x7F: return controlKey(bytes[0])
        case 0x20...0x7E: return .scalar(Unicode.Scalar(bytes[0]))
        default: return character(bytes)
        }
    }

    private static func controlKey(_ byte: UInt8) -> Key {
        switch byte {
        case 0x01: .home  // Ctrl-A
        case 0x02: .left  // Ctrl-B
        case 0x03: .interrupt  // Ctrl-C
        case 0x04: .endOfInput  // Ctrl-D
        case 0x05: .end  // Ctrl-E
        case 0x06: .right  // Ctrl-F
        case 0x08, 0x7F: .backspace  // Ctrl-H
        case 0x09: .scalar("\t")
        case 0x0A, 0x0D: .enter
        case 0x0B: .killToEnd  // Ctrl-K
        case 0x0C: .clearScreen  // Ctrl-L
        case 0x0E: .down  // Ctrl-N
        case 0x10: .up  // Ctrl-P
        case 0x15: .killToStart  // Ctrl-U
        case 0x17: .killWord  // Ctrl-W
        case 0x19: .yank  // Ctrl-Y
        // Those that edit nothing are ordinary characters: some protocols use them as separators.
        default: .scalar(Unicode.Scalar(byte))
        }
    }

    /// The key for the bytes after the escape character; `nil` if more have to follow.
    private static func escapeSequence(_ bytes: ArraySlice<UInt8>) -> Key? {
        guard let first = bytes.first else { return nil }
        switch first {
        case UInt8(ascii: "["), UInt8(ascii: "O"):
            // Parameters, then a final byte.
            guard let final = bytes.dropFirst().last, (0x40...0x7E).contains(final) else {
                return nil
            }
            let parameters = String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
            // The function keys of the Linux console have a second bracket.
            if final == UInt8(ascii: "["), parameters.isEmpty { return nil }
            return sequenceKey(final, parameters)
        case 0x1B: return escapeSequence(bytes.dropFirst())
        case UInt8(ascii: "b"): return .wordLeft
        case UInt8(ascii: "d"): return .killNextWord
        case UInt8(ascii: "f"): return .wordRight
        case 0x7F: return .killWord
        default: return .unknown
        }
    }

    private static func sequenceKey(_ final: UInt8, _ parameters: String) -> Key {
        // With a modifier, Control or Alt, an arrow moves by words.
        let isModified = parameters.contains(";")
        guard !parameters.hasPrefix("[") else { return .unknown }
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return isModified ? .wordRight : .right
        case UInt8(ascii: "D"): return isModified ? .wordLeft : .left
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "~"):
            switch parameters {
            case "1", "7": return .home
            case "3": return .delete
            case "4", "8": return .end
            default: return .unknown
            }
        default: return .unknown
        }
    }

    private static func character(_ bytes: [UInt8]) -> Key? {
        let length =
            switch bytes[0] {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        guard bytes.count >= length else { return nil }
        let text = String(validating: bytes, as: UTF8.self)
        guard let scalar = text?.unicodeScalars.first else { return .unknown }
        return .scalar(scalar)
    }
}
