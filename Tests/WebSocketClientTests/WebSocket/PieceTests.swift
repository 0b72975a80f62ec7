import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

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

@Suite("Messages in pieces, files and prepared messages", .blocking)
struct PieceTests {
    private static let text = String(repeating: "naïve café – ", count: 60_000)

    private func temporaryFile(_ bytes: [UInt8]) throws -> String {
        var template = Array("/tmp/websocket-file-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        #expect(descriptor >= 0)
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        Glibc.close(descriptor)
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    @Test(
        "A message arrives part by part in the caller's buffer",
        arguments: [1000, 70_000, 300_000],
        [nil, DeflateOptions()]
    )
    func parts(bufferSize: Int, compression: DeflateOptions?) throws {
        let server = try LoopbackServer(compression: compression)
        defer { server.stop() }
        var options = ConnectOptions(timeout: .ample)
        options.compression = compression
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let expected = Array(Self.text.utf8)
        try socket.send(Self.text)
        try socket.send("next")
        var buffer = [UInt8](repeating: 0, count: bufferSize)
        var received: [UInt8] = []
        while true {
            var span = buffer.mutableSpan
            var bytes = span.mutableBytes
            let part = try socket.receive(into: &bytes)
            #expect(part.opcode == .text)
            received += buffer[..<part.count]
            if part.isLast { break }
            #expect(throws: WebSocketError.self) { try socket.receive() }
        }
        #expect(received == expected)
        #expect(try socket.receive() == .text("next"))
        try socket.close()
    }

    @Test("A message has to be received to its end in the mode in which it was begun")
    func mixedWays() throws {
        let stop = Promise<Void>()
        let step = Promise<Void>()
        try withSocket { server in
            try server.write(WireFrame(.binary, [1], isFinal: false))
            try step.value()
            try server.write(
                WireFrame(.continuation, [2], isFinal: false),
                WireFrame(.continuation, [3])
            )
            try server.write(WireFrame(.binary, [4]), WireFrame(.text, text: "whole"))
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            func isRefused(_ call: () throws -> some Any) -> Bool {
                if case .invalidArgument = failure(call) { true } else { false }
            }
            func part() throws -> MessagePart {
                var room: InlineArray<8, UInt8> = .init(repeating: 0)
                var span = room.mutableSpan
                var bytes = span.mutableBytes
                return try socket.receive(into: &bytes)
            }
            // Begun with receive(), which got no further than its first fragment.
            socket.timeout = .milliseconds(50)
            #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
            #expect(isRefused { try socket.receiveFrame() })
            #expect(isRefused { try part() })
            step.fulfil()
            socket.timeout = .ample
            let message = try socket.receive()
            #expect(message == .binary([1, 2, 3]))
            // Between messages, any mode will do.
            let frame = try socket.receiveFrame()
            #expect(frame == Frame(binary: [4]))
            let last = try part()
            #expect(last.opcode == .text && last.count == 5 && last.isLast)
        }
    }

    @Test("A message begun frame by frame must be finished frame by frame")
    func frameByFrame() throws {
        let stop = Promise<Void>()
        try withSocket { server in
            try server.write(
                WireFrame(.text, text: "a", isFinal: false),
                WireFrame(.continuation, [0x62]),
                WireFrame(.text, text: "c")
            )
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            let first = try socket.receiveFrame()
            #expect(first == Frame(text: "a", isFinal: false))
            guard case .invalidArgument = failure({ try socket.receive() }) else {
                Issue.record("the rest was reported as a message")
                return
            }
            let second = try socket.receiveFrame()
            #expect(second.opcode == .continuation)
            let next = try socket.receive()
            #expect(next == .text("c"))
        }
    }

    @Test(
        "A file arrives unchanged",
        arguments: [0, 1, 4, 4096, 4097, 262_144, 700_001],
        [FileFraming.oneMessage(fragmentBytes: 4096), .messages(bytes: 4096), .oneMessage()]
    )
    func file(size: Int, framing: FileFraming) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let path = try temporaryFile(bytes)
        defer { unlink(path) }
        let count =
            if case .messages(let piece) = framing { max(1, (size + piece - 1) / piece) } else { 1 }
        let server = try LoopbackServer(expected: bytes)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url("/sink?count=\(count)"))
        var last = -1
        let sent = try socket.send(contentsOf: path, framing: framing) { sent, total in
            #expect(sent > last && sent <= total)
            last = sent
        }
        #expect(sent == size && last == size)
        #expect(try socket.receive() == .text("done \(count) messages, \(size) bytes"))
        try socket.close()
    }

    @Test("A file in many messages is resumed after the last acknowledged one")
    func resumedFile() throws {
        let bytes = (0..<(24 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 16) }
        let path = try temporaryFile(bytes)
        defer { unlink(path) }
        let messages = FileFraming.messages(bytes: 64 << 10)
        let (stop, second) = (Promise<Void>(), Promise<[UInt8]>())
        var offset = 0
        try withSocket { server in
            for _ in 0..<16 { _ = try server.receive() }
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = .milliseconds(200)
            let error = failure {
                try socket.send(contentsOf: path, framing: messages, resumingAt: &offset)
            }
            guard case .batchInterrupted? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        // It was interrupted somewhere after the bytes that the server had read.
        #expect(offset >= 512 << 10 && offset < bytes.count && offset % (64 << 10) == 0)
        let resumed = offset
        try withSocket { server in
            var received: [UInt8] = []
            while received.count < bytes.count - resumed {
                received += try server.receive().payload
            }
            second.fulfil(received)
            server.waitForEnd()
        } client: { socket in
            var ends: [Int] = []
            let sent = try socket.send(contentsOf: path, framing: messages, resumingAt: &offset) {
                end,
                total in
                #expect(total == bytes.count)
                ends.append(end)
            }
            #expect(sent == bytes.count - resumed)
            #expect(offset == bytes.count && ends.last == bytes.count)
            #expect(try second.value() == Array(bytes[resumed...]))
            #expect(try socket.send(contentsOf: path, framing: messages, resumingAt: &offset) == 0)
            offset += 1
            for framing in [messages, .oneMessage()] {
                guard
                    case .invalidArgument? = failure({
                        try socket.send(contentsOf: path, framing: framing, resumingAt: &offset)
                    })
                else {
                    Issue.record("an offset behind the end, or one message, was accepted")
                    return
                }
            }
        }
    }

    @Test("A text file in many messages is cut between characters")
    func textFile() throws {
        let path = try temporaryFile(Array(Self.text.utf8))
        defer { unlink(path) }
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        try socket.send(contentsOf: path, as: .text, framing: .messages(bytes: 5000))
        var joined = ""
        while joined.utf8.count < Self.text.utf8.count {
            guard case .text(let part) = try socket.receive() else { break }
            joined += part
        }
        #expect(joined == Self.text)
        try socket.close()
    }

    @Test("A file that is not UTF-8 is not sent as text")
    func invalidTextFile() throws {
        let path = try temporaryFile([0x61, 0xC3])
        defer { unlink(path) }
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        let error = failure { try socket.send(contentsOf: path, as: .text) }
        guard case .invalidPayload = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try socket.send("still there")
        #expect(try socket.receive() == .text("still there"))
        try socket.close()
    }

    @Test("Fragments arrive as one message, even from an empty sequence")
    func fragments() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url())
        try socket.send(fragments: [[1, 2], [], [3]])
        #expect(try socket.receive() == .binary([1, 2, 3]))
        try socket.send(fragments: [], as: .text)
        #expect(try socket.receive() == .text(""))
        try socket.close()
    }

    @Test(
        "A prepared message can be sent many times between others, compressed or not",
        arguments: [nil, DeflateOptions()]
    )
    func prepared(compression: DeflateOptions?) throws {
        let server = try LoopbackServer(compression: compression)
        defer { server.stop() }
        var options = ConnectOptions(timeout: .ample)
        options.compression = compression
        let words = String(repeating: "prepared once, sent often; ", count: 40)
        let message = PreparedMessage(words)
        for _ in 0..<2 {
            let socket = try WebSocket.connect(to: server.url(), options: options)
            for round in 0..<5 {
                try socket.send(message)
                try socket.send(words + "\(round)")
                #expect(try socket.receive() == .text(words))
                #expect(try socket.receive() == .text(words + "\(round)"))
            }
            try socket.close()
        }
    }
}
