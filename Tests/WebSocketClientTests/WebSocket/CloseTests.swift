import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Closing, RFC 6455 §7", .blocking)
struct CloseTests {
    static let application = CloseCode(rawValue: 4001)

    @Test("The peer's code and reason are returned, and ours reach the peer")
    func handshake() throws {
        let received = Promise<[UInt8]>()
        try withSocket { server in
            received.fulfil(try server.receiveClose())
            try server.write(
                WireFrame(.close, ClosePayload(code: Self.application, reason: "bye").encoded)
            )
        } client: { socket in
            let answer = try socket.close(code: .goingAway, reason: "done")
            #expect(answer == ClosePayload(code: Self.application, reason: "bye"))
            let sent = ClosePayload(code: .goingAway, reason: "done")
            #expect(try received.value() == sent.encoded)
            #expect(!socket.isConnected)
            #expect(socket.fileDescriptor == nil)
            #expect(socket.closeFrame == answer)
            let closure = try #require(
                failure { try socket.receive() }?.closure
            )
            #expect(closure == ConnectionEnd(received: answer, sent: sent))
            #expect(try socket.close() == answer, "closing again changes nothing")
        }
    }

    @Test(
        "The peer's close ends receiving and is answered with its code",
        arguments: [
            ClosePayload(code: .normalClosure), ClosePayload(code: application, reason: "grüße"),
            ClosePayload(code: nil),
        ]
    )
    func peerCloses(payload: ClosePayload) throws {
        let answer = Promise<[UInt8]>()
        try withSocket { server in
            try server.write(WireFrame(.text, text: "last"), WireFrame(.close, payload.encoded))
            answer.fulfil(try server.receiveClose())
        } client: { socket in
            #expect(try socket.receive() == .text("last"))
            let closure = try #require(
                failure { try socket.receive() }?.closure
            )
            #expect(closure.received == payload)
            #expect(closure.code == payload.code ?? .noStatusReceived)
            #expect(closure.reason == payload.reason)
            #expect(closure.cause == nil)
            #expect(try answer.value() == ClosePayload(code: payload.code).encoded)
            // Every later call throws the same.
            let later = [
                failure { try socket.receive() },
                failure { try socket.send("more") },
                failure { try socket.ping() },
                failure { try socket.receiveFrame() },
            ]
            for error in later { #expect(error?.closure == closure) }
            #expect(!socket.isConnected)
            #expect(socket.closeFrame == payload)
        }
    }

    @Test(
        "The peer's close frame is found behind the rest of what was being received",
        arguments: [true, false]
    )
    func closeInsideMessage(isInsideFrame: Bool) throws {
        let peers = ClosePayload(code: Self.application, reason: "later")
        let stop = Promise<Void>()
        let message = WireFrame(.binary, [1, 2, 3, 4], isFinal: isInsideFrame).bytes
        let rest = isInsideFrame ? 2 : 0
        try withSocket { server in
            try server.write(Array(message.dropLast(rest)))
            _ = try server.receiveClose()
            try server.write(Array(message.suffix(rest)) + WireFrame(.close, peers.encoded).bytes)
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = .milliseconds(50)
            if isInsideFrame {
                #expect(failure { try socket.receiveFrame() }?.isReceiveTimeout == true)
            } else {
                let frame = try socket.receiveFrame()
                #expect(!frame.isFinal)
            }
            // The server doesn't end the stream, so this takes all the time allowed.
            let answer = try socket.close(timeout: .seconds(2))
            #expect(answer == peers)
        }
    }

    @Test("A close frame that was received as a frame is answered by closing")
    func closeAfterCloseFrame() throws {
        let peers = ClosePayload(code: .goingAway, reason: "maintenance")
        let answer = Promise<[UInt8]>()
        try withSocket { server in
            try server.write(WireFrame(.close, peers.encoded))
            answer.fulfil(try server.receiveClose())
        } client: { socket in
            #expect(try socket.receiveFrame().closePayload == peers)
            #expect(socket.closeFrame == peers)
            var answered: ClosePayload?
            let duration = try elapsed {
                answered = try socket.close(code: .goingAway, timeout: .endless)
            }
            #expect(answered == peers)
            #expect(duration < .ample)
            #expect(try answer.value() == ClosePayload(code: .goingAway).encoded)
        }
    }

    enum Loss: CaseIterable { case endOfStream, reset, insideHeader, insidePayload }

    @Test("A stream that ends without a close frame is code 1006", arguments: Loss.allCases)
    func loss(kind: Loss) throws {
        try withSocket { server in
            switch kind {
            case .endOfStream: break
            case .reset: try reset(server.stream)
            case .insideHeader: try server.write([0x82, 126, 1])
            case .insidePayload: try server.write([0x82, 100, 1, 2, 3])
            }
        } client: { socket in
            let closure = try #require(
                failure { try socket.receive() }?.closure
            )
            #expect(closure.code == .abnormalClosure)
            #expect(closure.received == nil)
            #expect(closure.cause != nil)
            let again = failure { try socket.send("more") }
            #expect(again?.closure == closure)
            #expect(try socket.close() == nil)
        }
    }

    /// Servers that delay closing as long as they can.
    enum Delay: CaseIterable {
        case silent, notReading, answersAndStays, floods, floodsPings, fragments, trickles,
            halfFrame
    }

    @Test(
        "Closing never exceeds its time-out, whatever the server does",
        arguments: Delay.allCases
    )
    func bounded(kind: Delay) throws {
        let stop = Promise<Void>()
        try withSocket { server in
            try stall(server, kind: kind, until: stop)
        } client: { socket in
            defer { stop.fulfil() }
            if kind == .notReading { fill(socket) }
            var answer: ClosePayload?
            // Time for an answer, if one comes.
            let limit = Duration.milliseconds(kind == .answersAndStays ? 2000 : 300)
            let duration = try elapsed { answer = try socket.close(timeout: limit) }
            #expect(duration < .ample)
            #expect(answer == (kind == .answersAndStays ? ClosePayload(code: .normalClosure) : nil))
            #expect(!socket.isConnected)
            #expect(socket.fileDescriptor == nil)
            #expect(failure { try socket.receive() }?.closure != nil)
        }
    }

    @Test(
        "A violation is reported in bounded time, whatever the server does",
        arguments: Delay.allCases
    )
    func boundedViolation(kind: Delay) throws {
        let stop = Promise<Void>()
        var options = ConnectOptions()
        options.timeouts.close = .milliseconds(300)
        try withSocket(options) { server in
            try server.write(WireFrame(rawOpcode: 3))
            try stall(server, kind: kind, until: stop)
        } client: { socket in
            defer { stop.fulfil() }
            var error: WebSocketError?
            let duration = elapsed {
                error = failure { try socket.receive() }
            }
            #expect(duration < .ample)
            guard case .protocolViolation(let violation) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(violation.rule == .reservedOpcode(3))
        }
    }

    @Test(
        "A peer that goes on sending after its close can't exceed the time-out of closing",
        arguments: Delay.allCases
    )
    func boundedAnswer(kind: Delay) throws {
        let stop = Promise<Void>()
        var options = ConnectOptions()
        options.timeouts.close = .milliseconds(300)
        try withSocket(options) { server in
            try server.write(WireFrame(.close, [3, 0xE8]))
            try stall(server, kind: kind, until: stop)
        } client: { socket in
            defer { stop.fulfil() }
            let duration = elapsed {
                let error = failure { try socket.receive() }
                #expect(error?.closure?.code == .normalClosure)
            }
            #expect(duration < .ample)
        }
    }

    @Test("Closing ends the calls of other threads")
    func otherThreads() throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            let reader = Background {
                failure { try socket.receive() }
            }
            let writer = Background { () -> WebSocketError? in
                while true {
                    let error = failure {
                        try socket.send(binary: [UInt8](repeating: 1, count: 1 << 20))
                    }
                    if let error { return error }
                }
            }
            pause(.milliseconds(100))
            let duration = try elapsed { try socket.close(timeout: .milliseconds(300)) }
            #expect(duration < .ample)
            #expect(try reader.join()?.closure != nil)
            #expect(try writer.join()?.closure != nil)
        }
    }

    @Test("A reader sees the handshake that another thread began")
    func readerDuringClose() throws {
        try withSocket { server in
            _ = try server.receiveClose()
            try server.write(WireFrame(.text, text: "late"), WireFrame(.close, [3, 0xE9]))
        } client: { socket in
            let reader = Background { () -> ([Message], WebSocketError?) in
                var messages: [Message] = []
                let error = failure {
                    while true { messages.append(try socket.receive()) }
                }
                return (messages, error)
            }
            pause(.milliseconds(50))
            #expect(try socket.close() == ClosePayload(code: .goingAway))
            let (messages, error) = try reader.join()
            #expect(messages == [.text("late")])
            #expect(error?.closure?.code == .goingAway)
            #expect(error?.closure?.sent == ClosePayload(code: .normalClosure))
        }
    }

    @Test("Many threads may close at once")
    func manyClose() throws {
        try withSocket { server in
            let payload = try server.receiveClose()
            try server.write(WireFrame(.close, payload))
        } client: { socket in
            let threads = (0..<8).map { _ in Background { try socket.close() } }
            for thread in threads {
                let answer = try thread.join()
                #expect(answer == ClosePayload(code: .normalClosure))
            }
        }
    }

    @Test("After a close frame nothing more is sent, but messages are still received")
    func sendClose() throws {
        let rest = Promise<Int>()
        try withSocket { server in
            let payload = try server.receiveClose()
            try server.write(WireFrame(.text, text: "late"), WireFrame(.close, payload))
            var count = 0
            while (try? server.nextPiece()) != nil { count += 1 }
            rest.fulfil(count)
        } client: { socket in
            try socket.sendClose(code: Self.application, reason: "so long")
            let sent = ClosePayload(code: Self.application, reason: "so long")
            #expect(
                failure { try socket.send("x") }?.closure?.sent == sent
            )
            #expect(
                failure { try socket.ping() }?.closure?.sent == sent
            )
            #expect(failure { try socket.sendBatch(["x"]) } != nil)
            try socket.sendClose()
            #expect(try socket.receive() == .text("late"))
            let closure = failure { try socket.receive() }?.closure
            #expect(closure == ConnectionEnd(received: sent, sent: sent))
            #expect(try rest.value() == 0, "not a frame after the close frame")
        }
    }

    @Test(
        "A code that may not be sent is refused and changes nothing",
        arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]
    )
    func refusedCodes(code: UInt16) throws {
        let code = CloseCode(rawValue: code)
        try withSocket { server in
            while true {
                let (opcode, payload) = try server.receive()
                try payload.withUnsafeBytes { try server.send(opcode, $0) }
            }
        } client: { socket in
            for error in [
                failure { try socket.close(code: code) },
                failure { try socket.sendClose(code: code) },
            ] {
                guard case .invalidArgument = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            try socket.send("still here")
            #expect(try socket.receive() == .text("still here"))
        }
    }

    @Test("Closing an unconnected socket does nothing")
    func unconnected() throws {
        let socket = WebSocket()
        #expect(try socket.close() == nil)
        socket.abort()
        #expect(failure { try socket.send("x") } != nil)
    }

    @Test("A socket connects again after each kind of end")
    func reconnect() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = WebSocket()
        for round in 0..<6 {
            try socket.connect(to: server.url())
            #expect(socket.closeFrame == nil)
            try socket.send("round \(round)")
            #expect(try socket.receive() == .text("round \(round)"))
            if round % 2 == 0 { try socket.close() } else { socket.abort() }
        }
    }
}

/// Delays a client's closing.
func stall(_ server: ServerConnection, kind: CloseTests.Delay, until stop: Promise<Void>) throws {
    switch kind {
    case .silent:
        server.waitForEnd()
    case .notReading:
        try stop.value()
    case .answersAndStays:
        _ = try? server.receiveClose()
        try server.write(WireFrame(.close, [3, 0xE8]))
        try stop.value()
    case .floods:
        let frames = [WireFrame](
            repeating: WireFrame(.binary, Array(repeating: 1, count: 60_000)),
            count: 16
        )
        let bytes = frames.bytes
        while !stop.isFulfilled { try server.write(bytes) }
    case .floodsPings:
        let bytes = [WireFrame](
            repeating: WireFrame(.ping, Array(repeating: 1, count: 100)),
            count: 1000
        ).bytes
        while !stop.isFulfilled { try server.write(bytes) }
    case .fragments:
        try server.write(WireFrame(.binary, isFinal: false))
        let bytes = [WireFrame](repeating: WireFrame(.continuation, isFinal: false), count: 100)
            .bytes
        for _ in 0..<1300 where !stop.isFulfilled { try server.write(bytes) }
        try stop.value()
    case .trickles:
        try server.write([0x82, 127, 0, 0, 0, 0, 0, 16, 0, 0])
        while !stop.isFulfilled {
            try server.write([0])
            pause(.milliseconds(5))
        }
    case .halfFrame:
        try server.write([0x82, 126, 1])
        try stop.value()
    }
}

/// Sends until the peer's and the system's buffers are full.
func fill(_ socket: WebSocket) {
    socket.timeout = .milliseconds(50)
    while failure({
        try socket.send(binary: [UInt8](repeating: 2, count: 1 << 20))
    }) == nil {}
}
