import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

/// Records the frames, and changes some of them.
final class Recorder: WebSocket, @unchecked Sendable {
    let sent = Locked<[Frame]>([])
    let received = Locked<[Frame]>([])

    override func send(frame: Frame) throws -> Int {
        sent.withLock { $0.append(frame) }
        var frame = frame
        if frame.payload == Array("swap".utf8) { frame.payload = Array("swapped".utf8) }
        return try super.send(frame: frame)
    }

    override func receiveFrame() throws -> Frame {
        let frame = try super.receiveFrame()
        received.withLock { $0.append(frame) }
        return frame
    }
}

@Suite("A subclass that overrides the frame level", .blocking)
struct SubclassTests {
    private func withRecorder(
        _ script: @escaping LoopbackServer.Script,
        client body: (Recorder) throws -> Void
    ) throws {
        try withServer(script) { server in
            let socket = try Recorder.connect(to: server.url())
            defer { socket.abort() }
            try body(socket)
        }
    }

    @Test("sees the frames of every sending call, and may change them")
    func sending() throws {
        let got = Promise<[[UInt8]]>()
        try withRecorder { server in
            got.fulfil { try (0..<7).map { _ in Array(try server.nextPiece().bytes) } }
            server.waitForEnd()
        } client: { socket in
            try socket.send("text")
            try socket.send(binary: [1])
            try socket.send(text: Array("span".utf8).span.bytes)
            try socket.send(.text("swap"))
            try socket.send([2], opcode: .binary)
            try socket.ping("a")
            try socket.pong("b")
            let sent = socket.sent.withLock { $0 }
            #expect(sent.map(\.opcode) == [.text, .binary, .text, .text, .binary, .ping, .pong])
            #expect(
                try got.value()
                    == ["text", "\u{1}", "span", "swapped", "\u{2}", "a", "b"].map {
                        Array($0.utf8)
                    }
            )
        }
    }

    @Test("sees the frames of every receiving call, and the pongs too")
    func receiving() throws {
        try withRecorder { server in
            for _ in 0..<3 {
                try server.write(
                    WireFrame(.text, text: "a", isFinal: false),
                    WireFrame(.ping, [1]),
                    WireFrame(.continuation, text: "b")
                )
            }
            try server.write(WireFrame(.close, [3, 0xE8]))
            _ = try server.receiveClose()
        } client: { socket in
            #expect(try socket.receive() == .text("ab"))
            let second = try socket.receiveDataFrame()
            #expect(second == Frame(text: "ab"))
            var seen: [Opcode] = []
            try socket.forEachMessage { opcode, _ in
                seen.append(opcode)
                return false
            }
            #expect(seen == [.text])
            #expect(failure { try socket.receive() }?.closure?.code == .normalClosure)
            let received = socket.received.withLock { $0.map(\.opcode) }
            let round: [Opcode] = [.text, .ping, .continuation]
            #expect(received == round + round + round + [.close])
            let sent = socket.sent.withLock { $0 }
            #expect(sent == Array(repeating: Frame(opcode: .pong, payload: [1]), count: 3))
        }
    }

    @Test("goes on receiving when a ping can't be answered any more")
    func pingAfterClose() throws {
        try withRecorder { server in
            _ = try server.receiveClose()
            try server.write(
                WireFrame(.ping),
                WireFrame(.text, text: "late"),
                WireFrame(.close, [3, 0xE8])
            )
        } client: { socket in
            try socket.sendClose()
            #expect(try socket.receive() == .text("late"))
            #expect(failure { try socket.receive() }?.closure?.code == .normalClosure)
        }
    }
}
