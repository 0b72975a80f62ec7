import CWebSocketZlib
import Testing
import WebSocketProtocol

@testable import wsdump

/// Data compressed by other programs.
enum Samples {
    /// "Grüße", by gzip(1).
    static let gzip: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x73, 0x2F, 0x3A, 0xBC, 0xE7,
        0xF0, 0xFC, 0x54, 0x00, 0x71, 0x70, 0xD3, 0xFB, 0x07, 0x00, 0x00, 0x00,
    ]
    /// "zipped", by Python's zlib, raw.
    static let deflate: [UInt8] = [0xAB, 0xCA, 0x2C, 0x28, 0x48, 0x4D, 0x01, 0x00]
}

@Suite("Keys")
struct KeyTests {
    private func keys(_ bytes: [UInt8]) -> [Key] {
        var decoder = KeyDecoder()
        return bytes.compactMap { decoder.decode($0) }
    }

    private func keys(_ text: String) -> [Key] { keys(Array(text.utf8)) }

    @Test("Letters of all lengths are themselves")
    func letters() {
        #expect(keys("aé日🎈\t") == ["a", "é", "日", "🎈", "\t"].map { .scalar($0) })
    }

    @Test("Control characters mean the same keys as in readline")
    func controls() {
        #expect(keys([0x01, 0x02, 0x05, 0x06]) == [.home, .left, .end, .right])
        #expect(keys([0x03, 0x04, 0x0A, 0x0D]) == [.interrupt, .endOfInput, .enter, .enter])
        #expect(
            keys([0x08, 0x7F, 0x0B, 0x15]) == [.backspace, .backspace, .killToEnd, .killToStart]
        )
        #expect(
            keys([0x17, 0x19, 0x0C, 0x10, 0x0E]) == [.killWord, .yank, .clearScreen, .up, .down]
        )
        // Characters that edit nothing are typed as they are.
        #expect(keys([0x00, 0x07, 0x1E]) == [.scalar("\0"), .scalar("\u{7}"), .scalar("\u{1E}")])
    }

    @Test("Ctrl-V takes the next control character as it is")
    func quoting() {
        #expect(keys([0x16, 0x0D, 0x0D]) == [.scalar("\r"), .enter])
        #expect(keys([0x16, 0x16, 0x61]) == [.scalar("\u{16}"), .scalar("a")])
        #expect(keys([0x16, 0x1B, 0x5B]) == [.scalar("\u{1B}"), .scalar("[")])
        #expect(keys([0x16, 0x7F, 0x16, 0x61]) == [.scalar("\u{7F}"), .scalar("a")])
        #expect(keys([0x16, 0xC3, 0xA9]) == [.scalar("é")])
    }

    @Test("Each escape sequence is one key, in all forms that terminals send")
    func sequences() {
        #expect(keys("\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D") == [.up, .down, .right, .left])
        #expect(keys("\u{1B}OA\u{1B}OH\u{1B}OF") == [.up, .home, .end])
        #expect(
            keys("\u{1B}[H\u{1B}[F\u{1B}[1~\u{1B}[4~\u{1B}[7~\u{1B}[8~")
                == [.home, .end, .home, .end, .home, .end]
        )
        #expect(keys("\u{1B}[3~\u{1B}[5~") == [.delete, .unknown])
        #expect(
            keys("\u{1B}[1;5C\u{1B}[1;5D\u{1B}b\u{1B}f")
                == [.wordRight, .wordLeft, .wordLeft, .wordRight]
        )
        #expect(keys("\u{1B}d\u{1B}\u{7F}") == [.killNextWord, .killWord])
        #expect(keys("\u{1B}\u{1B}[A") == [.up])
        // A function key of the Linux console leaves no letter behind.
        #expect(keys("\u{1B}[[Ax") == [.unknown, .scalar("x")])
    }

    @Test("A sequence that isn't a key doesn't swallow what follows")
    func malformed() {
        #expect(keys([0xC3, 0x0D]) == [.enter])
        #expect(keys([0xE3, 0x81, 0x61]) == [.scalar("a")])
        #expect(keys([0xFF, 0x61]) == [.unknown, .scalar("a")])
        #expect(keys([0x80, 0x61]) == [.unknown, .scalar("a")])
        #expect(keys([0xED, 0xA0, 0x80, 0x61]) == [.unknown, .scalar("a")])
        // An endless sequence ends nevertheless.
        let endless = keys([0x1B, 0x5B] + [UInt8](repeating: 0x31, count: 40))
        #expect(endless.last == .scalar("1"))
    }
}

@Suite("The typed line")
struct LineBufferTests {
    private func type(_ text: String, into buffer: inout LineBuffer) {
        for scalar in text.unicodeScalars { buffer.press(.scalar(scalar)) }
    }

    private func press(_ keys: Key..., into buffer: inout LineBuffer) {
        for key in keys { buffer.press(key) }
    }

    @Test("Words can be skipped and cut, and cut text can be pasted")
    func words() {
        var buffer = LineBuffer()
        type("one two_2, drei", into: &buffer)
        press(.wordLeft, .wordLeft, into: &buffer)
        #expect(buffer.cursor == 4)
        press(.killNextWord, into: &buffer)
        #expect(buffer.text == "one , drei")
        press(.end, .yank, .yank, into: &buffer)
        #expect(buffer.text == "one , dreitwo_2two_2")
        press(.killWord, .home, .wordRight, .killToEnd, into: &buffer)
        #expect(buffer.text == "one")
        press(.killToStart, .killToStart, .killWord, .backspace, .delete, into: &buffer)
        #expect(buffer.isEmpty && buffer.cursor == 0)
        press(.yank, into: &buffer)
        #expect(buffer.text == "one")
    }

    @Test("The cursor stays within the line")
    func edges() {
        var buffer = LineBuffer()
        press(.left, .right, .wordLeft, .wordRight, .up, .down, .unknown, .enter, into: &buffer)
        #expect(buffer.cursor == 0)
        type("ab", into: &buffer)
        press(.right, .right, .home, .left, into: &buffer)
        #expect(buffer.cursor == 0)
    }

    @Test("A combining mark joins its letter; both go together")
    func combining() {
        var buffer = LineBuffer()
        type("e\u{301}x", into: &buffer)
        #expect(buffer.characters.count == 2)
        press(.backspace, .backspace, into: &buffer)
        #expect(buffer.isEmpty)
    }

    @Test("History stores repeated lines once, and keeps the draft")
    func history() {
        var buffer = LineBuffer()
        for line in ["a", "a", "", "b"] {
            type(line, into: &buffer)
            #expect(buffer.take() == line)
        }
        type("draft", into: &buffer)
        press(.up, into: &buffer)
        #expect(buffer.text == "b")
        press(.up, .up, .up, into: &buffer)
        #expect(buffer.text == "a")
        press(.down, .down, .down, into: &buffer)
        #expect(buffer.text == "draft" && buffer.cursor == 5)
    }
}

@Suite("The line in view")
struct PromptViewTests {
    private let cutAtStart = "\(escape)[7m<\(escape)[27m"
    private let cutAtEnd = "\(escape)[7m>\(escape)[27m"

    private func view(
        _ text: String,
        cursor: Int? = nil,
        first: Int = 0,
        room: Int
    ) -> (text: String, column: Int, first: Int) {
        var first = first
        let characters = Array(text)
        let view = PromptView(
            characters,
            cursor: cursor ?? characters.count,
            first: &first,
            room: room
        )
        return (view.text, view.cursorColumn, first)
    }

    @Test("A line that fits is shown whole, wherever the view was")
    func whole() {
        for first in 0...25 {
            #expect(view("0123456789abcdefghijklmno!", first: first, room: 37).first == 0)
            let shown = view("0123456789abcdefghijklmno!", first: first, room: 37)
            #expect(shown.text == "0123456789abcdefghijklmno!" && shown.column == 26)
        }
        #expect(view("", room: 5).text == "")
        #expect(view("12345", room: 5).text == "12345")
    }

    @Test("Marks show on which side the line goes on")
    func marks() {
        let line = "abcdefghij"
        #expect(view(line, room: 5).text == cutAtStart + "ghij")
        #expect(view(line, cursor: 0, room: 5).text == "abcd" + cutAtEnd)
        let middle = view(line, cursor: 5, first: 4, room: 5)
        #expect(middle.text == cutAtStart + "efg" + cutAtEnd)
        #expect(middle.column == 2)
    }

    @Test("The cursor is in view and the row is never exceeded, at any width and place")
    func everyWidth() {
        for line in ["abcdefghij", "日本語テキスト", "a\u{1E}b\u{0}c日\t", "e\u{301}\u{200B}x"] {
            let count = line.count
            for room in 1...20 {
                for cursor in 0...count {
                    for first in 0...count {
                        let shown = view(line, cursor: cursor, first: first, room: room)
                        let plain = shown.text.replacing(cutAtStart, with: "<")
                            .replacing(cutAtEnd, with: ">")
                            .replacing("\(escape)[7m", with: "").replacing(
                                "\(escape)[27m",
                                with: ""
                            )
                        let columns = plain.unicodeScalars.reduce(0) { $0 + $1.columns }
                        // A mark on each side is shown on the narrowest row too.
                        #expect(columns <= max(room, 2), "\(plain), \(room)")
                        #expect(shown.column <= max(room, 2))
                    }
                }
            }
        }
    }

    @Test("Invisible characters are shown escaped")
    func invisible() {
        #expect(view("a\u{1E}b", room: 20).text == "a\(escape)[7m\\x1e\(escape)[27mb")
        #expect(view("\0", room: 20).column == 4)
        #expect(view("\u{202E}", room: 20).text.contains("\\u{202e}"))
        #expect(view("\u{200B}", room: 20).text.contains("\\u{200b}"))
        #expect(PromptView.whole(Array("a\t")) == "a\(escape)[7m\\x09\(escape)[27m")
    }
}

@Suite("Rows of a peer's text")
struct RowsTests {
    @Test("Every row has a mark, also where a terminal would wrap")
    func marks() {
        let rows = Rows.received(width: 10)
        #expect(rows.text("") == "< ")
        #expect(rows.text("12345678") == "< 12345678")
        #expect(rows.text("123456789") == "< 12345678\n| 9")
        #expect(rows.text("        > fake") == "<         \n| > fake")
        #expect(rows.text("a\n> b\n\n") == "< a\n| > b\n| \n| ")
        #expect(Rows.said(width: 4).text("123456") == "1234\n  56")
    }

    @Test("Wide characters, combining marks and tabs are counted as a terminal does")
    func columns() {
        let rows = Rows.received(width: 6)
        #expect(rows.text("日本語") == "< 日本\n| 語")
        #expect(
            rows.text("e\u{301}e\u{301}e\u{301}e\u{301}e")
                == "< e\u{301}e\u{301}e\u{301}e\u{301}\n| e"
        )
        #expect(Rows.received(width: 12).text("ab\tcdef") == "< ab\tcdef")
        #expect(Rows.received(width: 12).text("ab\tcdefg") == "< ab\tcdef\n| g")
    }

    @Test("A terminal of no width gets a letter a row, and no endless loop", arguments: 0...3)
    func narrow(width: Int) {
        #expect(Rows.received(width: width).text("日ab").contains("日"))
        #expect(Rows.received(width: width).text("ab").hasSuffix("\n| b") || width > 3)
    }
}

@Suite("A peer's data, escaped")
struct EscapingTests {
    @Test("Every control character is escaped, and nothing else is")
    func controls() {
        for value in UInt32(0)...0x2FFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isControl =
                scalar.properties.generalCategory == .control && value != 9 && value != 10
            let turns = scalar.properties.isBidiControl || [0x2028, 0x2029].contains(value)
            let isObsolete = (0x206A...0x206F).contains(value)
            let text = String(Character(scalar))
            #expect(
                (Escaping.text(text) != text) == (isControl || turns || isObsolete),
                "\(String(value, radix: 16))"
            )
        }
        #expect(
            Escaping.text("a\u{1B}[1mb\u{85}\u{7F}\u{200F}é") == "a\\x1b[1mb\\x85\\x7f\\u{200f}é"
        )
    }

    @Test("Bytes look as in Python")
    func bytes() {
        #expect(
            Escaping.bytes([0, 9, 10, 13, 0x1B, 0x20, 0x7E, 0x7F, 0xFF])
                == #"b'\x00\t\n\r\x1b ~\x7f\xff'"#
        )
        #expect(Escaping.bytes(Array("it's".utf8)) == #"b"it's""#)
        #expect(Escaping.bytes(Array(#"'"\"#.utf8)) == #"b'\'"\\'"#)
        #expect(Escaping.bytes([]) == "b''")
    }

    @Test("Compressed text is shown as text, with control characters escaped")
    func compressed() {
        #expect(Escaping.data(Samples.gzip) == "[gzip] Grüße")
        #expect(Escaping.data(Samples.gzip + Samples.gzip) == "[gzip] GrüßeGrüße")
        #expect(Escaping.data(Samples.deflate) == "[zlib] zipped")
        #expect(Escaping.data([0x93, 0x8E, 0x36, 0xF2, 0x02, 0x00]) == "[zlib] \\x1b[2J")
    }

    @Test("Compressed data that is incomplete, has trailing bytes or isn't text is shown as bytes")
    func notCompressed() {
        for count in 0..<Samples.gzip.count {
            #expect(Escaping.data(Array(Samples.gzip.prefix(count))).hasPrefix("b"))
        }
        #expect(Escaping.data(Samples.gzip + [0]).hasPrefix("b'\\x1f\\x8b"))
        #expect(Escaping.data(Samples.deflate + [0]).hasPrefix("b"))
        let noText: [UInt8] = [0xFB, 0xFF, 0x0F, 0x00]
        #expect(Escaping.data(noText) == #"b'\xfb\xff\x0f\x00'"#)
        #expect(
            CompressedData.inflate(noText, format: .deflate, maximumBytes: 100) == [0xFF, 0xFE]
        )
    }

    @Test("A bomb is not inflated beyond its limit")
    func bomb() {
        let limit = 1 << 20
        for (count, isInflated) in [(limit, true), (limit + 1, false), (50 * limit, false)] {
            let data = deflated([UInt8](repeating: 0x20, count: count))
            let bytes = CompressedData.inflate(data, format: .deflate, maximumBytes: limit)
            #expect((bytes != nil) == isInflated)
        }
    }

    private func deflated(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count / 500 + 100)
        let status = czlib_deflate_init(&stream, 9, -15, 9, Z_DEFAULT_STRATEGY)
        defer { deflateEnd(&stream) }
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
            }
        }
        #expect(status == Z_OK && count > 0)
        return Array(output.prefix(count))
    }
}
