import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@testable import wsdump

@Suite("wsdump with pipes", .blocking)
struct PipeTests {
    /// Runs wsdump to its end with an input, and returns its output.
    private func run(
        _ arguments: String...,
        input: String = ""
    ) throws -> (output: String, errors: String, status: Int32) {
        let program = try RunningProgram.wsdump(arguments)
        try program.type(input)
        program.closeInput()
        let output = try program.output.takeAll()
        return (output, try program.errors.takeAll(), try program.waitForExit())
    }

    /// A frame of each kind, then a close.
    private func sendKinds(_ connection: ServerConnection) throws {
        try connection.send(text: "text")
        try connection.send(binary: [0, 0x27, 0xFF])
        try connection.send(binary: Samples.gzip)
        try connection.send(binary: Samples.deflate)
        try connection.send(.ping, Array("pi".utf8))
        try connection.send(.pong, [])
        try connection.send(.text, Array("frag".utf8), isFinal: false)
        try connection.send(.continuation, Array("ment".utf8))
        try connection.sendClose(code: 1000, reason: "done")
    }

    @Test("Each frame is shown on a line, fragments one by one, compressed text as text")
    func kinds() throws {
        try withServer(sendKinds) { server in
            let (output, errors, status) = try run(
                "--eof-wait",
                "20",
                server.url()
            )
            #expect(
                output == """
                    text
                    b"\\x00'\\xff"
                    [gzip] Grüße
                    [zlib] zipped
                    b'pi'
                    b''
                    frag
                    ment

                    """
            )
            #expect(errors.isEmpty)
            #expect(status == 0)
        }
    }

    @Test("-v shows the kind of each frame", arguments: ["-v", "--verbose=1"])
    func verbose(flag: String) throws {
        try withServer(sendKinds) { server in
            let (output, errors, _) = try run("--eof-wait", "600", server.url(), flag)
            #expect(
                output == """
                    text: text
                    binary: b"\\x00'\\xff"
                    binary: [gzip] Grüße
                    binary: [zlib] zipped
                    ping: b'pi'
                    pong: b''
                    text: frag
                    cont: ment
                    close: 1000 done

                    """
            )
            #expect(errors.isEmpty)
        }
    }

    @Test(
        "-vv traces on standard error, with control characters escaped",
        arguments: ["-vv", "-v2"]
    )
    func trace(flag: String) throws {
        let server = try LoopbackServer { connection in
            try connection.send(text: "hi\u{1B}")
            try connection.sendClose(code: 1000)
        }
        defer { server.stop() }
        let (output, errors, _) = try run("--eof-wait", "600", flag, server.url())
        #expect(output == "text: hi\\x1b\nclose: 1000\n")
        #expect(errors.contains("--- request header to \(server.url()) ---\nGET /echo HTTP/1.1\n"))
        #expect(errors.contains("HTTP/1.1 101 Switching Protocols\n"))
        #expect(errors.contains(#"++Rcv fin=1 opcode=text length=3 data="hi\u{1B}""#))
    }

    @Test("--json prints one object a line, which a JSON parser can read")
    func json() throws {
        try withServer { connection in
            try connection.send(text: "a \"b\" \\ \n\t\u{1B}\u{202E}é")
            try sendKinds(connection)
        } run: { server in
            let (output, _, _) = try run("--json", "--eof-wait", "600", server.url())
            let lines = output.split(separator: "\n")
            let first = #"{"data":"a \"b\" \\ \n\t\u001b\u202eé","seconds":"#
            #expect(lines.first?.hasPrefix(first) == true)
            #expect(lines.first?.hasSuffix(#","type":"text"}"#) == true)
            #expect(lines[2].hasPrefix(#"{"base64":"ACf/","seconds":"#))
            #expect(lines[2].hasSuffix(#","type":"binary"}"#))
            #expect(lines[7].hasPrefix(#"{"data":"frag","final":false,"seconds":"#))
            #expect(lines[8].hasPrefix(#"{"data":"ment","seconds":"#))
            #expect(lines[8].hasSuffix(#","type":"cont"}"#))
            #expect(lines.last?.hasPrefix(#"{"code":1000,"reason":"done","seconds":"#) == true)
            #expect(lines.last?.hasSuffix(#","type":"close"}"#) == true)
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                let members = try #require(object as? [String: Any])
                #expect(try #require(members["seconds"] as? Double) > 0)
            }
        }
    }

    @Test("--timings begins each line with the seconds since the start")
    func timings() throws {
        try withServer { connection in
            try connection.send(text: "one")
            try connection.send(text: "two")
            try connection.sendClose(code: 1000)
        } run: { server in
            let (output, _, _) = try run("--timings", "--eof-wait", "600", server.url())
            let lines = output.split(separator: "\n").map { $0.split(separator: " ") }
            #expect(lines.map { $0.last } == ["one", "two"])
            let times = lines.compactMap { Double($0[0].dropLast()) }
            #expect(times.count == 2 && times[0] > 0 && times == times.sorted())
        }
        let transcript = Transcript(showsTimings: true)
        let later = transcript.start + .milliseconds(2500)
        let frame = ReceivedFrame(opcode: .text, payload: Array("x".utf8), isText: true)
        #expect(transcript.line(.frame(frame), at: later) == "2.5: x")
    }

    @Test("--join shows a fragmented message as one, with --json too")
    func join() throws {
        let cut: @Sendable (ServerConnection) throws -> Void = { connection in
            try connection.send(.text, [0x61, 0xE2], isFinal: false)
            try connection.send(.ping, [])
            try connection.send(.continuation, [0x82, 0xAC])
            try connection.send(.binary, [0x00], isFinal: false)
            try connection.send(.continuation, [0xFF])
            try connection.sendClose(code: 1000)
        }
        try withServer(cut) { server in
            let (output, _, _) = try run("--join", "--eof-wait", "600", server.url())
            #expect(output == "b''\na€\nb'\\x00\\xff'\n")
        }
        try withServer(cut) { server in
            let (output, _, _) = try run("--join", "--json", "--eof-wait", "600", server.url())
            let lines = output.split(separator: "\n")
            try #require(lines.count == 4)
            #expect(lines[1].hasPrefix(#"{"data":"a€","seconds":"#))
            #expect(lines[2].hasPrefix(#"{"base64":"AP8=","seconds":"#))
        }
    }

    @Test("--binary sends every byte of a line as it is")
    func binaryInput() throws {
        let lines: [[UInt8]] = [[0x63, 0x61, 0x66, 0xE9, 0x00, 0xFF, 0x0D], [], [0xC3]]
        let got = Promise<[[UInt8]]>()
        try withServer { connection in
            var received: [[UInt8]] = []
            while received.count < 3 { received.append(try connection.receive().payload) }
            got.fulfil(received)
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump("--binary", server.url())
            try program.type(bytes: Array(lines.joined(separator: [0x0A])))
            program.closeInput()
            #expect(try got.value() == lines)
            #expect(try program.waitForExit() == 0)
        }
    }

    @Test("Text input that is not UTF-8 is refused with a note and status 1, and the rest is sent")
    func invalidText() throws {
        let got = Promise<[UInt8]>()
        try withServer { connection in
            got.fulfil(try connection.receive().payload)
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(server.url())
            try program.type(bytes: [0x63, 0x61, 0x66, 0xE9, 0x0A, 0x61, 0x00, 0x1E, 0x0A])
            program.closeInput()
            let errors = try program.errors.takeAll()
            #expect(
                errors
                    == "wsdump: a line was not sent: it is not UTF-8; use --binary to send it anyway\n"
            )
            #expect(try got.value() == [0x61, 0x00, 0x1E])
            #expect(try program.waitForExit() == 1)
        }
    }

    @Test("--fragment limits the size of sent frames")
    func fragments() throws {
        let got = Promise<[[UInt8]]>()
        let folder = try TemporaryFolder()
        let file = try folder.write("123456", to: "file")
        try withServer { connection in
            var frames: [[UInt8]] = []
            for _ in 0..<6 {
                let piece = try connection.nextPiece()
                frames.append(Array(piece.bytes) + [piece.isFinal ? 1 : 0])
            }
            got.fulfil(frames)
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(
                "--fragment",
                "4",
                "--file",
                file,
                server.url()
            )
            try program.type("1234\nabcdefghi\n")
            program.closeInput()
            let expected: [(String, UInt8)] = [
                ("1234", 0), ("56", 1), ("1234", 1), ("abcd", 0), ("efgh", 0), ("i", 1),
            ]
            #expect(try got.value() == expected.map { Array($0.0.utf8) + [$0.1] })
            #expect(try program.waitForExit() == 0)
        }
    }

    @Test(
        "Started without standard streams, it works and ends",
        arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"]
    )
    func closedDescriptors(redirections: String) throws {
        let got = Promise<[UInt8]>()
        try withServer { connection in
            got.fulfil(try connection.receive().payload)
            _ = try connection.receive()
        } run: { server in
            let path = try RunningProgram.built("wsdump")
            let shell = "exec \(path) -t hello \(server.url()) \(redirections)"
            let program = try RunningProgram("/bin/sh", ["-c", shell], on: .pipes)
            program.closeInput()
            #expect(try got.value() == Array("hello".utf8))
            #expect(try program.waitForExit() == 0)
        }
    }

    @Test("SIGTERM ends it with status 143 while nobody reads its output")
    func terminationWithFullPipe() throws {
        try withServer { connection in
            // Far more than the pipe and the sockets hold.
            let text = String(repeating: "x", count: 1 << 20)
            for _ in 0..<64 {
                try connection.send(text: text)
                try connection.flush()
            }
        } run: { server in
            let program = try RunningProgram.wsdump(server.url())
            // After the first byte, the program is stuck in a line that the pipe holds only in part.
            try program.output.take(through: "x")
            program.send(signal: SIGTERM)
            #expect(try program.waitForExit() == 128 + SIGTERM)
        }
    }

    @Test("SIGTERM ends it with status 143 if the server takes no bytes, or answers no close frame")
    func terminationWithDeafServer() throws {
        let connected = Promise<Void>()
        let release = Promise<Void>()
        try withServer { connection in
            try connection.send(text: "ready")
            try connection.flush()
            connected.fulfil()
            try? release.value()
        } run: { server in
            defer { release.fulfil() }
            let silent = try RunningProgram.wsdump(server.url())
            try silent.output.expect("ready\n")
            silent.send(signal: SIGTERM)
            #expect(try silent.waitForExit() == 128 + SIGTERM)
            let folder = try TemporaryFolder()
            let file = try folder.write(String(repeating: "x", count: 32 << 20), to: "file")
            let sending = try RunningProgram.wsdump("--file", file, server.url())
            try sending.output.expect("ready\n")
            sending.send(signal: SIGTERM)
            #expect(try sending.waitForExit() == 128 + SIGTERM)
        }
    }

    @Test(
        "Lines are sent as they come, also a last one without a line feed; --eof-wait waits for answers"
    )
    func lines() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let program = try RunningProgram.wsdump("--eof-wait", "600", server.url())
        try program.type("one\r\n\ntw")
        try program.output.expect("one\n\n")
        try program.type("o\nthree")
        try program.output.expect("two\n")
        program.closeInput()
        try program.output.expect("three\n")
        program.send(signal: SIGINT)
        #expect(try program.waitForExit() == 0)
    }

    @Test("Without --eof-wait, it ends at the end of the input, once everything has been sent")
    func endOfInput() throws {
        let got = Promise<[String]>()
        try withServer { connection in
            var texts: [String] = []
            defer { got.fulfil(texts) }
            while true {
                texts.append(String(decoding: try connection.receive().payload, as: UTF8.self))
            }
        } run: { server in
            let (output, errors, status) = try run(server.url(), input: "one\ntwo")
            #expect(output.isEmpty && errors.isEmpty && status == 0)
            #expect(try got.value() == ["one", "two"])
        }
    }

    @Test("-t sends a text first; --binary sends everything as binary")
    func sending() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let text = try RunningProgram.wsdump("-v", "-t", "first", server.url())
        try text.output.expect("text: first\n")
        try text.type("second\n")
        try text.output.expect("text: second\n")
        let binary = try RunningProgram.wsdump("-v", "--binary", "-t", "first", server.url())
        try binary.output.expect("binary: b'first'\n")
        try binary.type("second\n")
        try binary.output.expect("binary: b'second'\n")
    }

    @Test(
        "--file sends files as messages in order, and refuses files that aren't text unless sent as binary"
    )
    func files() throws {
        let sizes = Promise<[Int]>()
        let folder = try TemporaryFolder()
        let text = try folder.write(String(repeating: "ä", count: 400_000), to: "text")
        let noise = "\(folder.path)/noise"
        try Data([0xFF, 0x00]).write(to: URL(fileURLWithPath: noise))
        try withServer { connection in
            var received: [Int] = []
            while received.count < 3 { received.append(try connection.receive().payload.count) }
            sizes.fulfil(received)
            _ = try connection.receive()
        } run: { server in
            let program = try RunningProgram.wsdump(
                "--file",
                text,
                "--file",
                noise,
                server.url()
            )
            try program.errors.expect(
                "wsdump: \(noise) was not sent: it is not UTF-8; use --binary to send it anyway\n"
            )
            let binary = try RunningProgram.wsdump("--binary", "--file", noise, server.url())
            _ = binary
            try program.type("more\nend\n")
            program.closeInput()
            #expect(try sizes.value() == [800_000, 4, 3])
            // As the note says, something was not sent.
            #expect(try program.waitForExit() == 1)
        }
    }

    @Test(
        "With --receipts and --reconnect, files and lines survive a cut connection, and the counts are reported"
    )
    func receipts() throws {
        let folder = try TemporaryFolder()
        let contents = String(repeating: "Grüße, ", count: 60_000)
        let text = try folder.write(contents, to: "text")
        let received = Locked<[String]>([])
        let connections = Locked(0)
        try withServer { connection in
            let number = connections.withLock { count in
                count += 1
                return count
            }
            while true {
                let piece = try connection.receive().payload
                // The first connection is cut with a message in flight that was never answered for.
                if number == 1 { return }
                received.withLock { $0.append(String(decoding: piece, as: UTF8.self)) }
            }
        } run: { server in
            let (_, errors, status) = try run(
                "--file",
                text,
                "--receipts",
                "--reconnect",
                "0.01",
                server.url(),
                input: "a line\n"
            )
            #expect(status == 0)
            let messages = received.withLock { $0 }
            #expect(messages.joined() == contents + "a line")
            #expect(messages.dropLast().allSatisfy { $0.utf8.count <= 64 << 10 })
            let lines = errors.split(separator: "\n")
            let last = lines.last { $0.contains("acknowledged") } ?? ""
            #expect(last.hasPrefix("wsdump: \(messages.count) messages acknowledged, "))
            #expect(last.hasSuffix(" sent again") && !last.contains(", 0 sent"))
        }
    }

    @Test("Without --reconnect, --receipts reports what was not acknowledged")
    func missingReceipts() throws {
        try withServer { connection in
            _ = try connection.receive()
        } run: { server in
            let (_, errors, status) = try run("--receipts", server.url(), input: "lost\n")
            #expect(errors.contains("wsdump: 1 messages were not acknowledged"))
            #expect(status == 1)
        }
    }

    @Test("A failed connection is reported in one line on standard error, with status 1")
    func refused() throws {
        let server = try LoopbackServer()
        server.stop()
        let (output, errors, status) = try run(server.url())
        #expect(output.isEmpty)
        #expect(
            errors == "wsdump: No connection to 127.0.0.1: 127.0.0.1:\(server.port): "
                + "Connection refused.\n"
        )
        #expect(status == 1)
    }

    @Test("A server's error code is reported in one line on standard error, with status 1")
    func complaint() throws {
        try withServer { connection in
            try connection.sendClose(code: 4001, reason: "see\u{1B}ya")
        } run: { server in
            let (output, errors, status) = try run("--eof-wait", "600", server.url())
            #expect(output.isEmpty)
            #expect(errors == "wsdump: The connection is closed (code 4001, \"see\\u{1B}ya\").\n")
            #expect(status == 1)
        }
    }

    @Test("SIGINT, SIGTERM and SIGHUP close cleanly", arguments: [SIGINT, SIGTERM, SIGHUP])
    func signals(number: Int32) throws {
        let code = Promise<[UInt8]>()
        try withServer { connection in
            try connection.send(text: "ready")
            try connection.flush()
            let payload = try connection.receiveClose()
            code.fulfil(payload)
            try connection.send(.close, payload)
        } run: { server in
            let program = try RunningProgram.wsdump(server.url())
            try program.output.expect("ready\n")
            program.send(signal: number)
            #expect(try program.waitForExit() == 0)
            #expect(try code.value() == [0x03, 0xE8])
            #expect(try program.errors.takeAll().isEmpty)
        }
    }

    @Test("SIGINT ends an attempt to connect, and a wait for the next one, at once")
    func signalWhileWaiting() throws {
        let listener = try Listener()
        defer { listener.close() }
        let connecting = try RunningProgram.wsdump("ws://127.0.0.1:\(listener.port)/")
        let stream = try listener.accept(until: .ample)
        connecting.send(signal: SIGINT)
        #expect(try connecting.waitForExit() == 0)
        stream.abort()
        #expect(try connecting.errors.takeAll().isEmpty)

        let server = try LoopbackServer()
        server.stop()
        let waiting = try RunningProgram.wsdump("--reconnect", "1000", server.url())
        try waiting.errors.take(through: "Connection refused.\n")
        waiting.send(signal: SIGINT)
        #expect(try waiting.waitForExit() == 0)
    }

    @Test("--reconnect connects again after each end")
    func reconnect() throws {
        try withServer { connection in
            try connection.send(text: "hello")
            try connection.sendClose(code: 1000)
        } run: { server in
            let program = try RunningProgram.wsdump("-v", "--reconnect", "0.01", server.url())
            for _ in 0..<3 { try program.output.expect("text: hello\nclose: 1000\n") }
            program.send(signal: SIGINT)
            #expect(try program.waitForExit() == 0)
        }
    }

    @Test("--ping-interval sends pings, and gives up on a silent server")
    func keepalive() throws {
        let echo = try LoopbackServer()
        defer { echo.stop() }
        let lively = try RunningProgram.wsdump("-v", "--ping-interval", "3", echo.url())
        try lively.output.expect(#"pong: b'\x00\x00\x00\x01'"# + "\n")
        try lively.output.expect(#"pong: b'\x00\x00\x00\x02'"# + "\n")
        try withServer { connection in
            while true { _ = try connection.nextPiece() }
        } run: { server in
            let program = try RunningProgram.wsdump("--ping-interval", "0.2", server.url())
            try program.errors.expect("wsdump: Time ran out during the wait for a pong.\n")
            #expect(try program.waitForExit() == 1)
        }
    }

    @Test("--echo-server needs no network, with --compress too")
    func echoServer() throws {
        let text = String(repeating: "again ", count: 200)
        let program = try RunningProgram.wsdump("--echo-server", "--compress", "-vv", "-t", text)
        try program.output.expect("text: \(text)\n")
        program.send(signal: SIGINT)
        #expect(try program.waitForExit() == 0)
        let errors = try program.errors.takeAll()
        #expect(errors.contains("Sec-WebSocket-Extensions: permessage-deflate"))
        #expect(errors.contains("++Rcv fin=1 rsv1=1 opcode=text"))
    }

    @Test(
        "Header fields, origin and subprotocols are sent, wherever the URL stands in the arguments"
    )
    func request() throws {
        let asked = Promise<HTTPFields>()
        try withServer { connection in
            asked.fulfil(connection.headers)
            _ = try connection.receive()
        } run: { server in
            _ = try run(
                "-o",
                "https://origin.example",
                "--headers",
                "X-A: 1, X-B: two words",
                "-s",
                "chat",
                "superchat",
                server.url()
            )
            let fields = try asked.value()
            #expect(fields["Origin"] == "https://origin.example")
            #expect(fields["X-A"] == "1" && fields["X-B"] == "two words")
            #expect(fields["Sec-WebSocket-Protocol"] == "chat,superchat")
        }
    }

    @Test("-p connects through a proxy with credentials, which appear nowhere in the output")
    func proxy() throws {
        let listener = try Listener()
        defer { listener.close() }
        let program = try RunningProgram.wsdump(
            "-vv",
            "-p",
            "http://user:secret@127.0.0.1:\(listener.port)",
            "ws://server.example/"
        )
        let stream = try listener.accept(until: .ample)
        var request = ""
        while !request.hasSuffix("\r\n\r\n") {
            let bytes = try stream.readSome(until: .ample)
            request += String(decoding: try #require(bytes), as: UTF8.self)
        }
        #expect(request.hasPrefix("CONNECT server.example:80 HTTP/1.1\r\n"))
        #expect(request.contains("Proxy-Authorization: Basic \(Base64.encode("user:secret".utf8))"))
        let answer = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
        try stream.writeAll(Array(answer.utf8), until: .ample)
        let errors = try program.errors.takeAll()
        #expect(try program.waitForExit() == 1)
        #expect(errors.contains("407"))
        #expect(!errors.contains("secret") && !errors.contains(Base64.encode("user:secret".utf8)))
    }

    @Test("When its reader goes away, it ends silently")
    func brokenPipe() throws {
        let folder = try TemporaryFolder()
        let path = try RunningProgram.built("wsdump")
        try withServer { connection in
            while true {
                try connection.send(text: "again")
                try connection.flush()
                pause(.milliseconds(1))
            }
        } run: { server in
            let script = "\(path) \(server.url()) 2>\(folder.path)/errors </dev/zero | head -n 1"
            #expect(try runProgram("bash", ["-c", script]) == "again\n")
            let errors = try String(contentsOfFile: "\(folder.path)/errors", encoding: .utf8)
            #expect(errors.isEmpty)
        }
    }
}
