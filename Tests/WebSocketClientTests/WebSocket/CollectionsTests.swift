import Foundation
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketClient

@Suite("Messages in collections and spans", .blocking)
struct CollectionsTests {
    private final class Counting: WebSocket, @unchecked Sendable {
        let frames = Locked<[Frame]>([])

        override func send(frame: Frame) throws -> Int {
            frames.withLock { $0.append(frame) }
            return try super.send(frame: frame)
        }
    }

    @Test("Any collection of bytes can be sent, contiguous or not")
    func binary() throws {
        try withServer {
            while true { try $0.send(binary: $0.receive().payload) }
        } run: { server in
            let socket = try WebSocket.connect(to: server.url())
            defer { socket.abort() }
            let bytes: [UInt8] = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
            func check(_ count: Int, _ expected: [UInt8] = bytes) throws {
                #expect(try socket.receive() == .binary(expected))
                #expect(count == expected.count + (expected.count > 125 ? 8 : 6))
            }
            try check(socket.send(binary: Data(bytes)))
            try check(socket.send(binary: bytes[100...]), Array(bytes[100...]))
            try check(socket.send(binary: ContiguousArray(bytes)))
            try check(socket.send(binary: "gr\u{FC}n".utf8), Array("gr\u{FC}n".utf8))
            try check(
                socket.send(binary: bytes.reversed() as ReversedCollection<[UInt8]>),
                bytes.reversed()
            )
            try check(socket.send(binary: repeatElement(7, count: 3)), [7, 7, 7])
            try check(socket.send(binary: EmptyCollection<UInt8>()), [])
            try check(socket.send(binary: bytes.span))
            try check(socket.send(binary: []), [])
        }
    }

    @Test("Text in any collection of bytes is checked before any of it is sent")
    func text() throws {
        try withServer {
            while true { try $0.send(.text, $0.receive().payload) }
        } run: { server in
            let socket = try WebSocket.connect(to: server.url())
            defer { socket.abort() }
            let text = "na\u{EF}ve"
            let backwards = Array(text.utf8.reversed())
            try socket.send(text: Data(text.utf8))
            try socket.send(text: Array(text.utf8)[...])
            try socket.send(text: backwards.reversed() as ReversedCollection<[UInt8]>)
            try socket.send(text: Array(text.utf8).span)
            #expect(throws: WebSocketError.self) { try socket.send(text: Data([0x61, 0xFF])) }
            #expect(throws: WebSocketError.self) {
                try socket.send(text: repeatElement(0xFF, count: 2))
            }
            try socket.send("last")
            for _ in 1...4 { #expect(try socket.receive() == .text(text)) }
            #expect(try socket.receive() == .text("last"))
        }
    }

    @Test("A subclass sees them as frames")
    func subclass() throws {
        try withServer {
            while true { _ = try $0.receive() }
        } run: { server in
            let socket = try Counting.connect(to: server.url())
            defer { socket.abort() }
            try socket.send(binary: Data([1, 2]))
            try socket.send(text: Data("text".utf8))
            let frames = socket.frames.withLock { $0 }
            #expect(frames.map(\.opcode) == [.binary, .text])
            #expect(frames.map(\.payload) == [[1, 2], Array("text".utf8)])
        }
    }

    @Test("Tasks and apps send them too")
    func elsewhere() async throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url())
        defer { socket.abort() }
        try await socket.send(binary: Data([1, 2]))
        #expect(try await socket.receive() == .binary([1, 2]))
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { try $0.send(binary: Data([3])) },
            onMessage: { app, message in
                #expect(message == .binary([3]))
                app.close()
            }
        )
        try await app.run()
    }
}
