import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Pings and pongs, RFC 6455 §5.5.2", .blocking)
struct PingTests {
    @Test(
        "Pings are answered while receiving, with their payload and in order",
        arguments: [false, true]
    )
    func answered(inSubclass: Bool) throws {
        let pongs = Promise<[[UInt8]]>()
        let payloads = (0..<50).map { [UInt8](repeating: UInt8($0), count: $0 * 125 / 49) }
        let server = try LoopbackServer { server in
            for payload in payloads { try server.write(WireFrame(.ping, payload)) }
            try server.write(WireFrame(.text, text: "a", isFinal: false), WireFrame(.ping, [99]))
            try server.write(WireFrame(.continuation, text: "b"))
            pongs.fulfil {
                try (0...payloads.count).map { _ in
                    let piece = try server.nextPiece()
                    guard piece.opcode == .pong else { throw SupportError("\(piece.opcode)") }
                    return Array(piece.bytes)
                }
            }
        }
        defer { server.stop() }
        let kind = inSubclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url())
        #expect(try socket.receive() == .text("ab"))
        #expect(try pongs.value() == payloads + [[99]])
    }

    @Test("Control frames are delivered on request, pings after they were answered")
    func delivered() throws {
        try withSocket { server in
            try server.write(
                WireFrame(.ping, [1]),
                WireFrame(.pong, [2]),
                WireFrame(.text, text: "x")
            )
            #expect(try server.nextPiece().opcode == .pong)
            try server.write(WireFrame(.text, text: "answered"))
            server.waitForEnd()
        } client: { socket in
            let frames = try (0..<2).map { _ in try socket.receiveDataFrame(controlFrames: true) }
            let expected = [Frame(opcode: .ping, payload: [1]), Frame(opcode: .pong, payload: [2])]
            #expect(frames == expected)
            #expect(try socket.receiveData().payload == Array("x".utf8))
            #expect(try socket.receive() == .text("answered"))
        }
    }

    @Test("A ping is sent unchanged, and refused if it is too long")
    func sent() throws {
        let received = Promise<[[UInt8]]>()
        try withSocket { server in
            received.fulfil {
                try (0..<3).map { _ in Array(try server.nextPiece().bytes) }
            }
        } client: { socket in
            try socket.ping()
            for error in [
                failure { try socket.ping([UInt8](repeating: 0, count: 126)) },
                failure { try socket.pong([UInt8](repeating: 0, count: 126)) },
                failure { try socket.ping(String(repeating: "é", count: 63)) },
                failure { try socket.send(frame: Frame(opcode: .ping, isFinal: false)) },
            ] {
                guard case .invalidArgument = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            let longest = [UInt8](repeating: 7, count: 125)
            try socket.ping(longest)
            try socket.pong("unasked")
            #expect(try received.value() == [[], longest, Array("unasked".utf8)])
        }
    }

    @Test("Receiving goes on if the peer doesn't read its pongs")
    func unreadPongs() throws {
        let flood = [WireFrame](
            repeating: WireFrame(.ping, Array(repeating: 1, count: 125)),
            count: 1000
        ).bytes
        let stop = Promise<Void>()
        try withSocket { server in
            for _ in 0..<30 { try server.write(flood) }
            try server.write(WireFrame(.text, text: "after 3.8 MB of pings"))
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            let message = try socket.receive()
            #expect(message == .text("after 3.8 MB of pings"))
        }
    }

    @Test("A flood of pings doesn't hold a call beyond its time-out", arguments: [false, true])
    func flood(inSubclass: Bool) throws {
        let stop = Promise<Void>()
        let server = try LoopbackServer { try stall($0, kind: .floodsPings, until: stop) }
        defer { server.stop() }
        defer { stop.fulfil() }
        let kind = inSubclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url())
        socket.timeout = .milliseconds(200)
        for receive in [
            { _ = try socket.receive() }, { _ = try socket.receiveData() },
            { try socket.forEachMessage { _, _ in true } },
        ] as [() throws -> Void] {
            let duration = elapsed {
                let error = failure { try receive() }
                #expect(error?.isReceiveTimeout == true, "\(String(describing: error))")
            }
            #expect(duration < .ample)
        }
        socket.abort()
    }

    @Test("A flood of pings doesn't hold up a sending thread")
    func floodWhileSending() throws {
        let stop = Promise<Void>()
        try withSocket { server in
            // The other end reads the pongs, so that they can always be sent.
            let stream = server.stream
            let reader = Background {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while !stop.isFulfilled {
                    let transfer = try buffer.withUnsafeMutableBytes { try stream.read(into: $0) }
                    guard case .wouldBlock = transfer else { continue }
                    _ = try? stream.wait(for: .read, until: .after(.milliseconds(50)))
                }
            }
            try? stall(server, kind: .floodsPings, until: stop)
            try reader.join()
        } client: { socket in
            defer { stop.fulfil() }
            let receiver = Background { failure { try socket.receive() } }
            var worst = Duration.zero
            for number in 0..<100 {
                worst = try max(worst, elapsed { try socket.send("message \(number)") })
            }
            #expect(worst < .ample)
            socket.abort()
            #expect(try receiver.join()?.isAborted == true)
        }
    }
}
