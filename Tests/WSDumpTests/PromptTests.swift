import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@Suite("wsdump on a terminal", .blocking)
struct PromptTests {
    /// Runs `body` with wsdump at its first prompt, connected to an echo.
    private func atPrompt(columns: UInt16 = 80, _ body: (RunningProgram) throws -> Void) throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let program = try RunningProgram.wsdump(server.url(), on: .terminal(columns: columns))
        try program.expectStart()
        #expect(!program.isTerminalCooked)
        try body(program)
    }

    @Test("A line is typed at a prompt, sent with Enter, and its answer is shown in blue")
    func line() throws {
        try atPrompt { program in
            try program.type("h")
            try program.output.expect(prompt("h"))
            try program.type("i")
            try program.output.expect(prompt("hi"))
            try program.type("\r")
            try program.output.expect("\(eraseLine)> hi\r\n\(prompt())\(received("hi"))")
            #expect(try program.end() == 0)
            #expect(program.isTerminalCooked)
            let rest = try program.output.takeAll()
            #expect(rest == "\(eraseLine)Connection closed: 1000\r\n\(prompt())\(eraseLine)")
        }
    }

    @Test("Arriving frames are shown above the line being typed")
    func aboveTheLine() throws {
        let release = Promise<Void>()
        try withServer { connection in
            try release.value()
            try connection.send(text: "news")
            try connection.flush()
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.expectStart()
            try program.type("ha")
            try program.output.take(through: prompt("ha"))
            release.fulfil()
            try program.output.expect(received("news", line: "ha"))
            #expect(try program.end() == 0)
        }
    }

    @Test("Keys edit the line and go through the history, as in readline")
    func keys() throws {
        let (left, up, down) = ("\(escape)[D", "\(escape)[A", "\(escape)[B")
        try atPrompt { program in
            func press(_ key: String, _ shown: String) throws {
                try program.type(key)
                try program.output.expect(shown)
            }
            func send(_ line: String) throws {
                try press("\r", "\(eraseLine)> \(line)\r\n\(prompt())\(received(line))")
            }
            try program.type("one wrd")
            try program.output.take(through: prompt("one wrd"))
            try press(left, prompt("one wrd", cursor: 6))
            try press(left, prompt("one wrd", cursor: 5))
            try press("o", prompt("one word", cursor: 6))
            try press("\u{01}", prompt("one word", cursor: 0))
            try press("\(escape)[3~", prompt("ne word", cursor: 0))
            try press("\u{05}", prompt("ne word"))
            try press("\u{17}", prompt("ne "))
            try press("\u{19}", prompt("ne word"))
            try press("\u{7F}", prompt("ne wor"))
            try send("ne wor")
            try press("x", prompt("x"))
            try press(up, prompt("ne wor"))
            try press(down, prompt("x"))
            try press("\u{15}", prompt())
            try press(up, prompt("ne wor"))
            try send("ne wor")
            try press("\u{0C}", "\(escape)[H\(escape)[2J\(prompt())")
            #expect(try program.end() == 0)
        }
    }

    @Test("Characters of several bytes or two columns are edited as one")
    func wideCharacters() throws {
        try atPrompt { program in
            try program.type("é")
            try program.output.expect(prompt("é"))
            try program.type("日")
            try program.output.expect(prompt("é日", cursor: 3))
            try program.type("\u{7F}")
            try program.output.expect(prompt("é"))
            #expect(try program.end() == 0)
        }
    }

    @Test("A line longer than the terminal scrolls sideways, and is sent whole")
    func longLine() throws {
        try atPrompt(columns: 20) { program in
            let (before, after) = ("\(escape)[7m<\(escape)[27m", "\(escape)[7m>\(escape)[27m")
            // 20 columns, less the prompt, the mark and the cursor's column.
            let line = "abcdefghijklmnopqrstuvwxyz"
            for letter in line { try program.type(String(letter)) }
            let end = before + line.suffix(16)
            try program.output.take(through: prompt(end, cursor: 17))
            try program.type("\u{01}")
            let start = line.prefix(16) + after
            try program.output.expect(prompt(String(start), cursor: 0))
            program.resize(columns: 40)
            try program.output.expect("\(eraseLine)\(prompt(line, cursor: 0))")
            try program.type("\r")
            try program.output.expect("\(eraseLine)> \(line)\r\n\(prompt())\(received(line))")
            #expect(try program.end() == 0)
        }
    }

    @Test("When the terminal becomes narrower, the rows of the broken line are erased")
    func narrowed() throws {
        try atPrompt(columns: 60) { program in
            let line = "abcdefghijklmnopqrstuvwxyz0123456789"
            try program.type(line)
            try program.output.take(through: prompt(line))
            program.resize(columns: 30)
            // The cursor was in column 38, which is on the second row of 30 now.
            let view = "\(escape)[7m<\(escape)[27m" + line.suffix(26)
            try program.output.expect(
                "\r\(escape)[1A\(escape)[J\(prompt(view, cursor: 27))"
            )
            #expect(try program.end() == 0)
        }
    }

    @Test("The prompt shows the line to be sent, also after most of a long line was deleted")
    func shortened() throws {
        try atPrompt(columns: 40) { program in
            let line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
            try program.type(line + String(repeating: "\u{7F}", count: 37) + "!")
            let rest = line.prefix(25) + "!"
            try program.output.take(through: prompt(String(rest)))
            try program.type("\r")
            try program.output.take(through: received(String(rest)))
            #expect(try program.end() == 0)
        }
    }

    @Test("Control characters can be typed, are shown escaped, and are sent")
    func controlCharacters() throws {
        let got = Promise<[UInt8]>()
        try withServer { connection in
            got.fulfil(try connection.receive().payload)
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.expectStart()
            try program.type("a\u{0}\u{1E}\u{16}\u{0D}")
            let shown = ["00", "1e", "0d"].map { "\(escape)[7m\\x\($0)\(escape)[27m" }.joined()
            try program.output.take(through: prompt("a\(shown)", cursor: 13))
            try program.type("\r")
            try program.output.expect("\(eraseLine)> a\(shown)\r\n")
            #expect(try got.value() == [0x61, 0x00, 0x1E, 0x0D])
            #expect(try program.end() == 0)
        }
    }

    @Test("A key without a meaning rings the bell")
    func bell() throws {
        try atPrompt { program in
            try program.type("\(escape)[15~")
            try program.output.expect("\u{7}\(prompt())")
            #expect(try program.end() == 0)
        }
    }

    @Test("A line that was being typed when the server closes stays on the screen")
    func halfTyped() throws {
        let release = Promise<Void>()
        try withServer { connection in
            try release.value()
            try connection.sendClose(code: 1001)
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.expectStart()
            try program.type("half a line")
            try program.output.take(through: prompt("half a line"))
            release.fulfil()
            try program.output.take(through: "Connection closed: 1001\r\n")
            try program.output.take(through: "\(eraseLine)Not sent: half a line\r\n")
            #expect(try program.waitForExit() == 0)
        }
    }

    @Test("Ctrl-D ends the program on an empty line, and deletes a character otherwise")
    func endOfInput() throws {
        try atPrompt { program in
            try program.type("ab\u{01}")
            try program.output.take(through: prompt("ab", cursor: 0))
            try program.type("\u{04}")
            try program.output.expect(prompt("b", cursor: 0))
            try program.type("\u{04}")
            try program.output.expect(prompt())
            try program.type("\u{04}")
            #expect(try program.waitForExit() == 0)
            #expect(program.isTerminalCooked)
        }
    }

    @Test("Ctrl-C closes cleanly: the server gets a close frame with 1000")
    func interrupt() throws {
        let code = Promise<[UInt8]>()
        try withServer { connection in
            let payload = try connection.receiveClose()
            code.fulfil(payload)
            try connection.send(.close, payload)
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.expectStart()
            #expect(try program.end() == 0)
            #expect(try code.value() == [0x03, 0xE8])
        }
    }

    @Test("A second Ctrl-C doesn't wait for the server's answer to the close")
    func secondInterrupt() throws {
        let closing = Promise<Void>()
        let release = Promise<Void>()
        try withServer { connection in
            _ = try connection.receiveClose()
            closing.fulfil()
            try? release.value()
        } run: { server in
            defer { release.fulfil() }
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.expectStart()
            try program.type("\u{03}")
            try closing.value()
            try program.type("\u{03}")
            #expect(try program.waitForExit() == 130)
            #expect(program.isTerminalCooked)
        }
    }

    @Test("Ctrl-Z restores the terminal, and resuming shows the prompt and the line again")
    func suspension() throws {
        try atPrompt { program in
            try program.type("half")
            try program.output.take(through: prompt("half"))
            try program.type("\u{1A}")
            #expect(try program.waitForStop())
            #expect(program.isTerminalCooked)
            try program.output.expect(eraseLine)
            program.send(signal: SIGCONT)
            try program.output.expect(prompt("half"))
            #expect(!program.isTerminalCooked)
            #expect(try program.end() == 0)
        }
    }

    @Test("The server's close is reported and ends the program")
    func serverEnds() throws {
        try withServer { connection in
            try connection.sendClose(code: 1001, reason: "bye\u{1B}[2J")
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.output.take(through: "Connection closed: 1001 bye\\x1b[2J\r\n")
            #expect(try program.waitForExit() == 0)
            #expect(program.isTerminalCooked)
        }
    }

    @Test("A peer's data can neither control the terminal nor look like the prompt")
    func sanitising() throws {
        try withServer { connection in
            try connection.send(text: "\u{1B}]52;c;eA==\u{07}\u{9B}2J\r\u{202E}x\n> y\u{061C}")
            try connection.send(.ping, Array("\u{1B}c".utf8))
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(server.url(), on: .terminal())
            try program.output.take(through: "\(escape)[34m< ")
            let shown = #"\x1b]52;c;eA==\x07\x9b2J\x0d\u{202e}x"#
            try program.output.expect("\(shown)\r\n| > y\\u{61c}\(escape)[39m\r\n")
            try program.output.take(through: #"< b'\x1bc'"#)
            #expect(try program.end() == 0)
        }
    }

    @Test("NO_COLOR turns off colour, and a dumb terminal gets no escape sequences")
    func plainTerminals() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let grey = try RunningProgram.wsdump(
            "-t",
            "x",
            server.url(),
            on: .terminal(),
            environment: ["NO_COLOR": "1"]
        )
        try grey.output.take(through: "\(eraseLine)< x\r\n\(prompt())")
        #expect(try grey.end() == 0)
        let dumb = try RunningProgram.wsdump(
            "-t",
            "x",
            server.url(),
            on: .terminal(),
            environment: ["TERM": "dumb"]
        )
        try dumb.output.expect("< x\r\n")
        #expect(try dumb.end() == 0)
    }

    @Test("With --raw, a terminal shows neither prompt nor colour")
    func raw() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let program = try RunningProgram.wsdump("-r", "-t", "x", server.url(), on: .terminal())
        try program.output.expect("x\r\n")
        // The terminal itself echoes the typing.
        try program.type("y\n")
        try program.output.expect("y\r\ny\r\n")
        #expect(try program.end() == 0)
    }
}
