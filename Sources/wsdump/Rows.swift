import WebSocketClient

// What a peer sends must not look like what the user typed or what this program says. So every row of
// it has a mark in front, also those that a terminal would begin by itself at its right margin: text is
// broken here, before it gets there.

/// Text broken into rows of a terminal.
struct Rows {
    /// What stands in front of the first row, and of all others.
    var first: String
    var further: String
    /// How many columns a row has.
    var width: Int

    /// Something received.
    static func received(width: Int) -> Rows { Rows(first: "< ", further: "| ", width: width) }
    /// Something that this program says, in which the peer's words may stand.
    static func said(width: Int) -> Rows { Rows(first: "", further: "  ", width: width) }

    /// The rows of a text, a line feed between each two.
    func text(_ text: String) -> String {
        var result = first
        var column = first.count
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                startRow(&result, &column)
                continue
            }
            let columns = scalar == "\t" ? 8 - column % 8 : scalar.columns
            if column + columns > width, column > further.count { startRow(&result, &column) }
            result.unicodeScalars.append(scalar)
            column += columns
        }
        return result
    }

    private func startRow(_ result: inout String, _ column: inout Int) {
        result += "\n" + further
        column = further.count
    }
}

extension Unicode.Scalar {
    /// How many columns a terminal gives it, near enough: two for East Asian wide ones and emoji.
    var columns: Int {
        if value < 0x300 { return 1 }
        if properties.isEmojiPresentation { return 2 }
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
            0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x20000...0x3FFFD:
            return 2
        default:
            return isInvisible ? 0 : 1
        }
    }

    /// Whether it only changes what stands around it.
    var isInvisible: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: true
        default: false
        }
    }
}
