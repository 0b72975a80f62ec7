/// Base64 with the standard alphabet and padding, RFC 4648 §4.
package enum Base64 {
    /// The text for `bytes`.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        var rest = bytes[...]
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                let isPadding = position > group.count
                output.append(isPadding ? padding : digit(bits >> UInt32(18 - 6 * position) & 63))
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The bytes of `text`, or nil if it isn't exactly what `encode` makes of some bytes.
    package static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 4) else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(digits.count / 4 * 3)
        let paddingCount = digits.reversed().prefix { $0 == padding }.count
        guard paddingCount <= 2 else { return nil }
        var bits: UInt32 = 0
        for (index, character) in digits.enumerated() {
            let isPadding = index >= digits.count - paddingCount
            guard let value = isPadding ? 0 : value(character) else { return nil }
            bits = bits << 6 | value
            guard index % 4 == 3 else { continue }
            output += [bits >> 16, bits >> 8, bits].map { UInt8(truncatingIfNeeded: $0) }
            bits = 0
        }
        // The unused bits before the padding have to be zero, or two texts would mean the same bytes.
        guard output.suffix(paddingCount).allSatisfy({ $0 == 0 }) else { return nil }
        output.removeLast(paddingCount)
        return output
    }

    private static let padding = UInt8(ascii: "=")

    private static func digit(_ value: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + value - 26
        case 52..<62: UInt8(ascii: "0") + value - 52
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }

    private static func value(_ digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
