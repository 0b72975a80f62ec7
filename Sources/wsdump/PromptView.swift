import WebSocketClient

/// The part of the typed line that is in view: as much as fits on one row.
///
/// A `<` or `>` in reverse video shows that more of the line is out of view.
struct PromptView: Equatable {
    /// The text to write after the prompt.
    var text = ""
    /// The cursor's column, counted from the end of the prompt.
    var cursorColumn = 0

    private static let cutAtStart = reversed("<")
    private static let cutAtEnd = reversed(">")

    /// Lays a line out.
    ///
    /// - Parameters:
    ///   - characters: The line.
    ///   - cursor: The index of the character that the cursor is on, or the line's count.
    ///   - first: The first character in view, taken from the previous layout and updated: the view
    ///     moves only if the cursor leaves it, or if it has room for more of the line.
    ///   - room: How many columns there are, without the one that the cursor needs after the end.
    init(_ characters: [Character], cursor: Int, first: inout Int, room: Int) {
        let cells = characters.map(Cell.init)
        func columns(_ range: Range<Int>) -> Int { cells[range].reduce(0) { $0 + $1.columns } }

        first = min(first, cursor)
        // The character under the cursor is in view, and so are the marks.
        let needed = cursor < cells.count ? cursor + 1 : cursor
        let markAtEnd = needed < cells.count ? 1 : 0
        var used = columns(first..<needed)
        while first < cursor, used + markAtEnd + (first > 0 ? 1 : 0) > room {
            used -= cells[first].columns
            first += 1
        }
        // A line whose end is in view fills the row from the left.
        var rest = columns(first..<cells.count)
        while first > 0, rest + cells[first - 1].columns + (first > 1 ? 1 : 0) <= room {
            first -= 1
            rest += cells[first].columns
        }

        used = first > 0 ? 1 : 0
        var end = first
        while end < cells.count {
            let markAtEnd = end + 1 < cells.count ? 1 : 0
            let isRest = rest + (first > 0 ? 1 : 0) <= room
            guard isRest || used + cells[end].columns + markAtEnd <= room else { break }
            used += cells[end].columns
            end += 1
        }
        if first > 0 { text += Self.cutAtStart }
        for cell in cells[first..<end] { text += cell.text }
        if end < cells.count { text += Self.cutAtEnd }
        cursorColumn = (first > 0 ? 1 : 0) + columns(first..<max(first, min(cursor, end)))
    }

    /// A whole line as it looks while it is typed.
    static func whole(_ characters: [Character]) -> String {
        characters.map { Cell($0).text }.joined()
    }

    /// A character on the screen.
    private struct Cell {
        let text: String
        let columns: Int

        init(_ character: Character) {
            guard let first = character.unicodeScalars.first else {
                (text, columns) = ("", 0)
                return
            }
            let isHidden = character.unicodeScalars.contains { $0.isHarmful || $0 == "\t" }
            guard isHidden || first.isInvisible else {
                (text, columns) = (String(character), first.columns)
                return
            }
            // Invisible characters are shown escaped, in reverse video, unlike typed backslashes.
            let escaped = character.unicodeScalars.map { Escaping.escape($0.value) }.joined()
            text = PromptView.reversed(escaped)
            columns = escaped.count
        }
    }

    private static func reversed(_ text: String) -> String { "\u{1B}[7m\(text)\u{1B}[27m" }
}
