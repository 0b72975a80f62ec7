import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// Shows lines and reads typed ones: with a prompt on a terminal, or plainly.
///
/// Lines to show come from other threads than typed ones; they are shown above the line being typed.
final class Console: Sendable {
    /// How it looks.
    struct Style: Equatable {
        /// Whether lines are edited at a prompt, because standard input and output are a terminal.
        var prompts = false
        /// Whether each row of received text is marked, because standard output is a terminal.
        var marksReceived = false
        /// Whether received text is blue.
        var isColoured = false
        /// Whether the terminal can be kept from wrapping rows by itself.
        var controlsWrapping = false

        static let plain = Style()

        /// The appearance that standard input and output allow.
        static var ofTerminal: Style {
            guard Terminal.hasOutput else { return .plain }
            let isCapable = Terminal.isCapable
            return Style(
                prompts: Terminal.hasInput && isCapable,
                marksReceived: true,
                isColoured: isCapable && Terminal.allowsColour,
                controlsWrapping: isCapable
            )
        }
    }

    /// A typed or piped line, or another input.
    enum Input: Equatable {
        /// A line without the line feed at its end.
        case line([UInt8])
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
        /// Where the prompt was drawn: the terminal's width, and the cursor's column.
        var drawnWidth = 0
        var drawnColumn = 0
    }

    let style: Style
    private static let prompt = "> "
    private static let eraseLine = "\r\u{1B}[K"
    private static let bell = "\u{7}"
    private let state = Locked(State())
    /// The terminal's former mode; not in `state`, which is locked while output blocks.
    private let former = Locked<termios?>(nil)

    init(_ style: Style) {
        self.style = style
    }

    /// Shows the prompt.
    func start() {
        guard style.prompts else { return }
        state.withLock { state in
            let mode = Terminal.enterRawMode()
            former.withLock { $0 = mode }
            state.isPrompting = true
            draw(&state)
        }
    }

    /// Restores the terminal, until ``start()``.
    func stop() {
        state.withLock { state in
            if state.isPrompting { erase(&state) }
            state.isPrompting = false
        }
        restoreTerminal()
    }

    /// Restores the terminal for good; a line that was being typed stays on the screen.
    func finish() {
        stop()
        let line = state.withLock { $0.buffer.take() }
        if !line.isEmpty { say("Not sent: \(line)") }
    }

    /// Restores the terminal's mode, whatever else is going on.
    func restoreTerminal() {
        former.withLock { former in
            if let mode = former { Terminal.restore(mode) }
            former = nil
        }
    }

    /// Redraws the prompt after the terminal's size has changed.
    func redraw() { above {} }

    /// Shows received text on rows of its own.
    func show(_ text: String) {
        guard style.marksReceived else { return above { Terminal.write(text + "\n") } }
        var rows = Rows.received(width: Terminal.width()).text(text)
        // Only for ASCII is it certain how wide the terminal shows a character.
        if style.controlsWrapping, !rows.utf8.allSatisfy({ $0 < 0x80 }) {
            rows = "\u{1B}[?7l\(rows)\u{1B}[?7h"
        }
        if style.isColoured { rows = "\u{1B}[34m\(rows)\u{1B}[39m" }
        above { Terminal.write(rows + "\n") }
    }

    /// Says something about the program to the person at the prompt.
    func say(_ line: String) {
        guard style.prompts else { return }
        let rows = Rows.said(width: Terminal.width()).text(Escaping.text(line))
        above { Terminal.write(rows + "\n") }
    }

    /// Says something about the connection, on standard error.
    func note(_ line: String) {
        var text = Escaping.text(line)
        if Terminal.hasErrorOutput {
            text = Rows.said(width: Terminal.width(of: Terminal.errorOutput)).text(text)
        }
        above { Terminal.write(text + "\n", to: Terminal.errorOutput) }
    }

    private func above(_ write: () -> Void) {
        state.withLock { state in
            if state.isPrompting { erase(&state) }
            write()
            if state.isPrompting { draw(&state) }
        }
    }

    // MARK: Typing

    /// Takes bytes from standard input (`nil` at its end), and returns the inputs that they complete.
    func type(_ bytes: [UInt8]?) -> [Input] {
        state.withLock { state in
            style.prompts ? edit(bytes, &state) : collect(bytes, &state)
        }
    }

    private func collect(_ bytes: [UInt8]?, _ state: inout State) -> [Input] {
        guard let bytes else {
            defer { state.partial = [] }
            return (state.partial.isEmpty ? [] : [.line(state.partial)]) + [.end]
        }
        // Only new bytes can contain the end of a line, so a long line isn't searched again and again.
        guard bytes.contains(0x0A) else {
            state.partial += bytes
            return []
        }
        var lines = (state.partial + bytes)
            .split(separator: 0x0A, omittingEmptySubsequences: false)
        state.partial = lines.popLast().map { Array($0) } ?? []
        return lines.map { .line(Array($0)) }
    }

    private func edit(_ bytes: [UInt8]?, _ state: inout State) -> [Input] {
        guard let bytes else { return [.end] }
        var inputs: [Input] = []
        for byte in bytes {
            guard let key = state.keys.decode(byte) else { continue }
            switch key {
            case .enter:
                // The whole line, although only part of it may have been in view.
                erase(&state)
                Terminal.write(Self.prompt + PromptView.whole(state.buffer.characters) + "\n")
                inputs.append(.line(Array(state.buffer.take().utf8)))
            case .interrupt: inputs.append(.interrupt)
            case .endOfInput where state.buffer.isEmpty: inputs.append(.end)
            case .endOfInput: state.buffer.press(.delete)
            case .clearScreen: Terminal.write("\u{1B}[H\u{1B}[2J")
            case .unknown: Terminal.write(Self.bell)
            default: state.buffer.press(key)
            }
        }
        draw(&state)
        return inputs
    }

    /// Erases the prompt and the line behind it.
    private func erase(_ state: inout State) { Terminal.write(eraseRows(&state)) }

    /// The sequence that erases the last drawn rows, given the terminal's present width.
    private func eraseRows(_ state: inout State) -> String {
        let width = Terminal.width()
        defer { (state.drawnWidth, state.drawnColumn) = (width, 0) }
        guard state.drawnWidth > width else { return Self.eraseLine }
        // A terminal that became narrower has broken the row into several; the cursor is on the row
        // with its character.
        let above = state.drawnColumn / width
        return "\r" + (above > 0 ? "\u{1B}[\(above)A" : "") + "\u{1B}[J"
    }

    /// Draws the prompt and as much of the line as fits on one row, the cursor in view.
    private func draw(_ state: inout State) {
        let width = Terminal.width()
        let view = PromptView(
            state.buffer.characters,
            cursor: state.buffer.cursor,
            first: &state.firstShown,
            room: max(1, width - Self.prompt.count - 1)
        )
        let column = Self.prompt.count + view.cursorColumn
        let rows = eraseRows(&state) + Self.prompt + view.text
        Terminal.write(rows + "\r\u{1B}[\(column)C")
        (state.drawnWidth, state.drawnColumn) = (width, column)
    }
}
