import Foundation
import LoopbackServer
import TestSupport
import Testing

/// The visible result: the screen of tmux, a terminal that interprets escape sequences as others do.
@Suite("wsdump in tmux", .blocking, .needs(.tmux))
struct TmuxTests {
    /// A tmux server of its own with one window.
    private final class Screen {
        private let name = "wsdump-\(UUID())"

        init(running command: String) throws {
            let size = ["-x", "60", "-y", "12"]
            try tmux(["-f", "/dev/null", "new-session", "-d"] + size + [command])
            // The last screen stays when the program ends.
            try tmux(["set-option", "remain-on-exit", "on"])
        }

        deinit {
            _ = try? tmux(["kill-server"])
        }

        @discardableResult
        private func tmux(_ arguments: [String]) throws -> String {
            // Not Foundation's Process, which would wait for tmux's server too.
            let program = try RunningProgram(
                findProgram("tmux"),
                ["-L", name] + arguments,
                on: .pipes
            )
            let output = try program.output.takeAll()
            guard try program.waitForExit() == 0 else {
                throw SupportError("tmux: \(try program.errors.takeAll())")
            }
            return output
        }

        func type(_ keys: String...) throws { try tmux(["send-keys"] + keys) }

        /// Waits until the lines that aren't empty are these; blanks at their ends don't count.
        func expect(_ lines: [String]) throws {
            guard try !eventually({ try self.lines() == lines }) else { return }
            throw SupportError("instead of \(lines) the screen shows \(try self.lines())")
        }

        private func lines() throws -> [String] {
            // From the start of the scrollback: tmux scrolls to show that the pane is dead.
            let screen = try tmux(["capture-pane", "-p", "-S", "-"])
            return screen.split(separator: "\n").map(String.init).filter {
                !$0.isEmpty && !$0.hasPrefix("Pane is dead")
            }
        }

        func cursor() throws -> String {
            try tmux(["display-message", "-p", "#{cursor_x}"])
                .trimmingCharacters(in: .newlines)
        }
    }

    @Test("Typed lines, answers, history and the end look as they should")
    func conversation() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let path = try RunningProgram.built("wsdump")
        let screen = try Screen(running: "\(path) \(server.url())")
        try screen.expect(["Press Ctrl+C to quit", ">"])
        try screen.type("wrld", "Left", "Left", "Left", "o")
        var lines = ["Press Ctrl+C to quit", "> world"]
        try screen.expect(lines)
        #expect(try screen.cursor() == "4")
        try screen.type("Enter")
        lines += ["< world", ">"]
        try screen.expect(lines)
        try screen.type("Up", " again", "Enter")
        lines[3] = "> world again"
        lines += ["< world again", ">"]
        try screen.expect(lines)
        try screen.type("half")
        lines[5] = "> half"
        try screen.expect(lines)
        try screen.type("C-c")
        lines[5] = "Connection closed: 1000"
        lines.append("Not sent: half")
        try screen.expect(lines)
    }

    @Test("Every row of a long message is marked")
    func longMessage() throws {
        try withServer { connection in
            _ = try connection.receive()
            let padding = String(repeating: " ", count: 58)
            try connection.send(text: padding + "> not typed" + padding + "日本語")
            try connection.flush()
            _ = try connection.receive()
        } run: { server in
            let path = try RunningProgram.built("wsdump")
            let screen = try Screen(running: "\(path) \(server.url())")
            try screen.expect(["Press Ctrl+C to quit", ">"])
            try screen.type("go", "Enter")
            let rest = "| > not typed" + String(repeating: " ", count: 47)
            try screen.expect([
                "Press Ctrl+C to quit", "> go", "<", rest.trimmingCharacters(in: .whitespaces),
                "|            日本語", ">",
            ])
        }
    }
}
