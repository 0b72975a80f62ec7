import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

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

/// Frame by frame, with a pause before each.
private final class Slow: WebSocket, @unchecked Sendable {
    let pause = Locked(Duration.zero)

    override func receiveFrame() throws -> Frame {
        TestSupport.pause(pause.withLock { $0 })
        return try super.receiveFrame()
    }
}

@Suite("Receiving: fragments, limits and buffering", .blocking)
struct ReceivingTests {
    private static let fragmented = [
        WireFrame(.text, Array("hello".utf8) + [0xE2], isFinal: false),
        WireFrame(.ping),
        WireFrame(.continuation, [0x82, 0xAC, 0x21]),
    ]

    private func withFragments(_ body: (WebSocket) throws -> Void) throws {
        let stop = Promise<Void>()
        var options = ConnectOptions()
        options.deliversFragments = true
        try withSocket(options) { server in
            try server.write(Self.fragmented.bytes)
            try server.write(WireFrame(.binary, [1], isFinal: false), WireFrame(.continuation, [2]))
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            try body(socket)
        }
    }

    @Test("Each fragment of text has whole characters")
    func textFragments() throws {
        try withFragments { socket in
            let messages = try (0..<4).map { _ in try socket.receive() }
            #expect(messages == [.text("hello"), .text("€!"), .binary([1]), .binary([2])])
        }
    }

    @Test("A loop over messages gets fragments if they are delivered")
    func fragmentsInLoop() throws {
        try withFragments { socket in
            var seen: [String] = []
            try socket.forEachMessage { opcode, payload in
                seen.append("\(opcode) \(payload.byteCount)")
                return seen.count < 4
            }
            #expect(seen == ["text 5", "continuation 4", "binary 1", "continuation 1"])
        }
    }

    @Test("Data frames show whether their message goes on")
    func fragmentFrames() throws {
        try withFragments { socket in
            let first = try socket.receiveDataFrame()
            #expect(first == Frame(text: "hello", isFinal: false))
            let second = try socket.receiveDataFrame(controlFrames: true)
            #expect(second.opcode == .ping)
            let third = try socket.receiveDataFrame()
            #expect(third == Frame(opcode: .continuation, payload: Array("€!".utf8)))
        }
    }

    @Test("A caller that polls can find frames that have been read already")
    func buffered() throws {
        let stop = Promise<Void>()
        try withSocket { server in
            try server.write([WireFrame](repeating: WireFrame(.text, text: "x"), count: 5).bytes)
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            var messages = [try socket.receive()]
            while socket.hasBufferedFrames { messages.append(try socket.receive()) }
            #expect(messages == Array(repeating: .text("x"), count: 5))
            socket.abort()
            #expect(!socket.hasBufferedFrames)
        }
    }

    @Test("Half a frame doesn't count as buffered")
    func halfBuffered() throws {
        let stop = Promise<Void>()
        try withSocket { server in
            try server.write(WireFrame(.text, text: "x").bytes + [0x82, 5, 1, 2])
            try stop.value()
            try server.write([3, 4, 5])
            server.waitForEnd()
        } client: { socket in
            #expect(try socket.receive() == .text("x"))
            #expect(!socket.hasBufferedFrames)
            stop.fulfil()
            var descriptor = try pollfd(
                fd: #require(socket.fileDescriptor),
                events: Int16(POLLIN),
                revents: 0
            )
            #expect(poll(&descriptor, 1, 60_000) == 1)
            #expect(try socket.receive() == .binary([1, 2, 3, 4, 5]))
        }
    }

    @Test("The limit of closing can be changed while the connection is open")
    func closeLimit() throws {
        let stop = Promise<Void>()
        var options = ConnectOptions()
        options.timeouts.close = .seconds(200)
        try withSocket(options) { server in
            try stop.value()
            try server.write(WireFrame(rawOpcode: 3))
            server.waitForEnd()
        } client: { socket in
            socket.options.timeouts.close = .milliseconds(50)
            stop.fulfil()
            let duration = elapsed {
                guard case .protocolViolation = failure({ try socket.receive() }) else {
                    Issue.record("no violation")
                    return
                }
            }
            #expect(duration < .seconds(100))
        }
    }

    @Test("In a subclass, the limit of receiving applies to the whole call")
    func subclassLimit() throws {
        let stop = Promise<Void>()
        try withServer { _ in
            try stop.value()
        } run: { server in
            defer { stop.fulfil() }
            let limit = Duration.seconds(3)
            let socket = try Slow.connect(to: server.url())
            defer { socket.abort() }
            socket.timeout = limit
            socket.pause.withLock { $0 = limit }
            let duration = elapsed {
                #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
            }
            #expect(duration < limit + limit - .milliseconds(200))
        }
    }

    @Test("In a subclass, a pong that the peer doesn't read doesn't hold up receiving")
    func subclassPong() throws {
        let stop = Promise<Void>()
        let go = Promise<Void>()
        try withServer { server in
            try go.value()
            try server.write(WireFrame(.ping), WireFrame(.text, text: "behind"))
            try stop.value()
        } run: { server in
            defer { stop.fulfil() }
            let socket = try Slow.connect(to: server.url())
            defer { socket.abort() }
            fill(socket)
            socket.options.timeouts.send = .seconds(100)
            socket.options.timeouts.receive = .seconds(200)
            go.fulfil()
            var message: Message?
            let duration = try elapsed { message = try socket.receive() }
            #expect(message == .text("behind"))
            #expect(duration < .seconds(90))
        }
    }
}
