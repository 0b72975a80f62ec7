/// The line that is being typed, the cursor in it, and the lines before it.
struct LineBuffer {
    private(set) var characters: [Character] = []
    private(set) var cursor = 0
    private var history: [String] = []
    /// The line's index in the history; the history's count for a new line.
    private var position = 0
    /// The new line, while one from the history is shown.
    private var draft: [Character] = []
    /// The text that was cut last.
    private var killed: [Character] = []

    private static let maximumHistory = 1000

    var text: String { String(characters) }
    var isEmpty: Bool { characters.isEmpty }

    /// Does what a key says; keys that don't edit the line are ignored.
    mutating func press(_ key: Key) {
        switch key {
        case .scalar(let scalar): insert(scalar)
        case .backspace: if cursor > 0 { remove(cursor - 1..<cursor) }
        case .delete: if cursor < characters.count { remove(cursor..<cursor + 1) }
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .killToEnd: kill(cursor..<characters.count)
        case .killToStart: kill(0..<cursor)
        case .killWord: kill(wordStart..<cursor)
        case .killNextWord: kill(cursor..<wordEnd)
        case .yank:
            characters.insert(contentsOf: killed, at: cursor)
            cursor += killed.count
        case .up: recall(position - 1)
        case .down: recall(position + 1)
        case .enter, .endOfInput, .interrupt, .clearScreen, .unknown: break
        }
    }

    /// Takes the line and appends it to the history.
    mutating func take() -> String {
        let line = text
        if !line.isEmpty, history.last != line { history.append(line) }
        if history.count > Self.maximumHistory { history.removeFirst() }
        position = history.count
        draft = []
        characters = []
        cursor = 0
        return line
    }

    private mutating func insert(_ scalar: Unicode.Scalar) {
        // A combining mark joins the character before it.
        if cursor > 0 {
            let joined = String(characters[cursor - 1]) + String(Character(scalar))
            if joined.count == 1 {
                characters[cursor - 1] = Character(joined)
                return
            }
        }
        characters.insert(Character(scalar), at: cursor)
        cursor += 1
    }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private mutating func kill(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        killed = Array(characters[range])
        remove(range)
    }

    private mutating func recall(_ index: Int) {
        guard (0...history.count).contains(index) else { return }
        if position == history.count { draft = characters }
        position = index
        characters = index < history.count ? Array(history[index]) : draft
        cursor = characters.count
    }

    private var wordStart: Int {
        var index = cursor
        while index > 0, !characters[index - 1].isWord { index -= 1 }
        while index > 0, characters[index - 1].isWord { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < characters.count, !characters[index].isWord { index += 1 }
        while index < characters.count, characters[index].isWord { index += 1 }
        return index
    }
}

extension Character {
    fileprivate var isWord: Bool { isLetter || isNumber || self == "_" }
}
