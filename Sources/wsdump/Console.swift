import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where lines are shown and typed: with a prompt on a terminal, or plainly.
///
/// What is shown comes from other threads than what is typed: it goes above the line being typed.
final class Console: Sendable {
    /// What was typed.
    enum Input: Equatable {
        case line(String)
        case end
        case interrupt
    }

    private struct State {
        var keys = KeyDecoder()
        var buffer = LineBuffer()
        /// The first column of the line that is in view.
        var firstShown = 0
        /// Bytes of a line that isn't complete, without a prompt.
        var partial: [UInt8] = []
        var isPrompting = false
        var former: termios?
    }

    private static let prompt = "> "
    private let prompts: Bool
    private let isColoured: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - prompts: Whether standard input and output are a terminal to edit lines on.
    ///   - isColoured: Whether to show what was received in blue.
    init(prompts: Bool, isColoured: Bool) {
        self.prompts = prompts
        self.isColoured = isColoured
    }

    /// Shows the prompt.
    func start() {
        guard prompts else { return }
        state.withLock { state in
            state.former = Terminal.enterRawMode()
            state.isPrompting = true
            draw(&state)
        }
    }

    /// Leaves the terminal as it was.
    func stop() {
        guard prompts else { return }
        state.withLock { state in
            if state.isPrompting { Terminal.write("\r\u{1B}[K") }
            state.isPrompting = false
            if let former = state.former { Terminal.restore(former) }
            state.former = nil
        }
    }

    /// Shows something received on a line of its own.
    func show(_ line: String) {
        let text = prompts ? "< " + line : line
        above { Terminal.write((isColoured ? "\u{1B}[34m\(text)\u{1B}[39m" : text) + "\n") }
    }

    /// Says something about the connection, on standard error.
    func note(_ line: String) {
        above { Terminal.write(line + "\n", to: STDERR_FILENO) }
    }

    private func above(_ write: () -> Void) {
        state.withLock { state in
            if state.isPrompting { Terminal.write("\r\u{1B}[K") }
            write()
            if state.isPrompting { draw(&state) }
        }
    }

    // MARK: Typing

    /// Takes in what standard input gave, `nil` at its end, and returns what that completes.
    func type(_ bytes: [UInt8]?) -> [Input] {
        state.withLock { state in
            prompts ? edit(bytes, &state) : collect(bytes, &state)
        }
    }

    private func collect(_ bytes: [UInt8]?, _ state: inout State) -> [Input] {
        guard let bytes else {
            defer { state.partial = [] }
            return (state.partial.isEmpty ? [] : [line(state.partial)]) + [.end]
        }
        state.partial += bytes
        var lines = state.partial.split(separator: 0x0A, omittingEmptySubsequences: false)
        state.partial = lines.popLast().map { Array($0) } ?? []
        return lines.map { line($0) }
    }

    private func line(_ bytes: some Collection<UInt8>) -> Input {
        var bytes = Array(bytes)
        if bytes.last == 0x0D { bytes.removeLast() }
        return .line(String(decoding: bytes, as: UTF8.self))
    }

    private func edit(_ bytes: [UInt8]?, _ state: inout State) -> [Input] {
        guard let bytes else { return [.end] }
        var inputs: [Input] = []
        for byte in bytes {
            guard let key = state.keys.decode(byte) else { continue }
            switch key {
            case .enter:
                Terminal.write("\r\u{1B}[K" + Self.prompt + state.buffer.text + "\n")
                inputs.append(.line(state.buffer.take()))
            case .interrupt: inputs.append(.interrupt)
            case .endOfInput where state.buffer.isEmpty: inputs.append(.end)
            case .endOfInput: state.buffer.press(.delete)
            case .clearScreen: Terminal.write("\u{1B}[H\u{1B}[2J")
            default: state.buffer.press(key)
            }
        }
        draw(&state)
        return inputs
    }

    /// Draws the prompt and as much of the line as fits on one row, the cursor in view.
    private func draw(_ state: inout State) {
        let room = max(10, Terminal.width - Self.prompt.count - 1)
        let characters = state.buffer.characters
        let cursor = state.buffer.cursor
        state.firstShown = min(state.firstShown, cursor)
        while columns(characters[state.firstShown..<cursor]) > room { state.firstShown += 1 }
        var end = state.firstShown
        while end < characters.count,
            columns(characters[state.firstShown...end]) <= room
        {
            end += 1
        }
        let column = Self.prompt.count + columns(characters[state.firstShown..<cursor])
        let shown = String(characters[state.firstShown..<end]).map { $0 == "\t" ? " " : $0 }
        Terminal.write("\r\u{1B}[K" + Self.prompt + String(shown) + "\r\u{1B}[\(column)C")
    }

    private func columns(_ characters: ArraySlice<Character>) -> Int {
        characters.reduce(0) { $0 + $1.columns }
    }
}
