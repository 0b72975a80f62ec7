import WebSocketClient

// A peer's text must not look like the user's or this program's. So every row of it begins with a mark,
// and text is broken here, before a terminal would wrap it at the right margin.

/// Text broken into a terminal's rows.
struct Rows {
    /// The marks before the first row and before all others.
    var first: String
    var further: String
    /// How many columns a row has.
    var width: Int

    /// Received text.
    static func received(width: Int) -> Rows { Rows(first: "< ", further: "| ", width: width) }
    /// A note of this program, which may contain the peer's words.
    static func said(width: Int) -> Rows { Rows(first: "", further: "  ", width: width) }

    /// The rows of a text, separated by line feeds.
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
    /// How many columns a terminal gives it, approximately: two for East Asian wide ones and emoji.
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

    /// Whether it only modifies its neighbours.
    var isInvisible: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: true
        default: false
        }
    }
}
