import WebSocketClient

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
    /// How it looks.
    struct Style: Equatable {
        /// Whether lines are edited behind a prompt: both ends are a terminal.
        var prompts = false
        /// Whether `< ` stands in front of what was received: standard output is a terminal.
        var marksReceived = false
        /// Whether what was received is blue.
        var isColoured = false

        static let plain = Style()

        /// What standard input and output allow.
        static var ofTerminal: Style {
            guard Terminal.hasOutput else { return .plain }
            let isCapable = Terminal.isCapable
            return Style(
                prompts: Terminal.hasInput && isCapable,
                marksReceived: true,
                isColoured: isCapable && Terminal.allowsColour
            )
        }
    }

    /// What was typed.
    enum Input: Equatable {
        case line(String)
        case end
        case interrupt
    }

    private struct State {
        var keys = KeyDecoder()
        var buffer = LineBuffer()
        /// The first character of the line that is in view.
        var firstShown = 0
        /// Bytes of a line that isn't complete, without a prompt.
        var partial: [UInt8] = []
        var isPrompting = false
        var former: termios?
    }

    let style: Style
    private static let prompt = "> "
    private static let eraseLine = "\r\u{1B}[K"
    private let state = Locked(State())

    init(_ style: Style) {
        self.style = style
    }

    /// Shows the prompt.
    func start() {
        guard style.prompts else { return }
        state.withLock { state in
            state.former = Terminal.enterRawMode()
            state.isPrompting = true
            draw(&state)
        }
    }

    /// Leaves the terminal as it was, until ``start()``.
    func stop() {
        state.withLock { state in
            if state.isPrompting { Terminal.write(Self.eraseLine) }
            state.isPrompting = false
            if let former = state.former { Terminal.restore(former) }
            state.former = nil
        }
    }

    /// Draws the prompt again, for a terminal that has another size now.
    func redraw() { above {} }

    /// Shows something received on a line of its own.
    func show(_ text: String) {
        var line = text
        if style.marksReceived {
            // What goes on in further lines is indented, so that a peer can't pass its text off as
            // the prompt or as a message of its own.
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            line = "< " + lines.joined(separator: "\n  ")
        }
        if style.isColoured { line = "\u{1B}[34m" + line + "\u{1B}[39m" }
        above { Terminal.write(line + "\n") }
    }

    /// Says something about the program to who sits in front of it.
    func say(_ line: String) {
        guard style.prompts else { return }
        above { Terminal.write(Legible.text(line) + "\n") }
    }

    /// Says something about the connection, on standard error.
    func note(_ line: String) {
        above { Terminal.write(Legible.text(line) + "\n", to: Terminal.errorOutput) }
    }

    private func above(_ write: () -> Void) {
        state.withLock { state in
            if state.isPrompting { Terminal.write(Self.eraseLine) }
            write()
            if state.isPrompting { draw(&state) }
        }
    }

    // MARK: Typing

    /// Takes in what standard input gave, `nil` at its end, and returns what that completes.
    func type(_ bytes: [UInt8]?) -> [Input] {
        state.withLock { state in
            style.prompts ? edit(bytes, &state) : collect(bytes, &state)
        }
    }

    private func collect(_ bytes: [UInt8]?, _ state: inout State) -> [Input] {
        guard let bytes else {
            defer { state.partial = [] }
            return (state.partial.isEmpty ? [] : [line(state.partial)]) + [.end]
        }
        // Only what is new can have the end of a line: a long one is not searched again and again.
        guard bytes.contains(0x0A) else {
            state.partial += bytes
            return []
        }
        var lines = (state.partial + bytes)
            .split(separator: 0x0A, omittingEmptySubsequences: false)
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
                // The line as a whole, though only a part of it may have been in view.
                Terminal.write(Self.eraseLine + Self.prompt + state.buffer.text + "\n")
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
        var column = columns(characters[state.firstShown..<cursor])
        while column > room {
            column -= characters[state.firstShown].columns
            state.firstShown += 1
        }
        var (end, used) = (cursor, column)
        while end < characters.count, used + characters[end].columns <= room {
            used += characters[end].columns
            end += 1
        }
        let shown = String(characters[state.firstShown..<end].map { $0 == "\t" ? " " : $0 })
        Terminal.write(Self.eraseLine + Self.prompt + shown)
        Terminal.write("\r\u{1B}[\(Self.prompt.count + column)C")
    }

    private func columns(_ characters: ArraySlice<Character>) -> Int {
        characters.reduce(0) { $0 + $1.columns }
    }
}
