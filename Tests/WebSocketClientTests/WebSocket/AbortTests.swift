import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Aborting from another thread", .blocking)
struct AbortTests {
    private func abortSoon(_ socket: WebSocket) -> Background<Void> {
        Background {
            pause(.milliseconds(100))
            socket.abort()
        }
    }

    /// A call that would never end.
    enum Call: CaseIterable {
        case receive, receiveData, receiveFrame, forEachMessage, send, sendFrame, batch, waitForTurn
    }

    @Test("ends a call that blocks", arguments: Call.allCases)
    func blocked(call: Call) throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = nil
            let message = [UInt8](repeating: 1, count: 1 << 20)
            let other = call == .waitForTurn ? Background { failure { try socket.receive() } } : nil
            if other != nil { pause(.milliseconds(30)) }
            let thread = abortSoon(socket)
            let duration = elapsed {
                let error = failure {
                    switch call {
                    case .receive, .waitForTurn: _ = try socket.receive()
                    case .receiveData: _ = try socket.receiveData()
                    case .receiveFrame: _ = try socket.receiveFrame()
                    case .forEachMessage: try socket.forEachMessage { _, _ in true }
                    case .send: while true { try socket.send(binary: message) }
                    case .sendFrame: while true { try socket.send(frame: Frame(binary: message)) }
                    case .batch: try socket.sendBatch(binary: repeatElement(message, count: 100))
                    }
                }
                if case .batchInterrupted(_, let cause) = error {
                    #expect(cause.isAborted)
                } else {
                    #expect(error?.isAborted == true, "\(String(describing: error))")
                }
            }
            #expect(duration < .ample)
            try thread.join()
            if let other { #expect(try other.join()?.isAborted == true) }
            #expect(!socket.isConnected)
            #expect(failure { try socket.send("x") }?.isAborted == true)
            #expect(failure { try socket.receive() }?.isAborted == true)
            #expect(try socket.close() == nil)
        }
    }

    @Test("ends a close that waits")
    func closing() throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            let thread = abortSoon(socket)
            let duration = try elapsed { try socket.close(timeout: .endless) }
            #expect(duration < .ample)
            try thread.join()
        }
    }

    @Test("ends a handshake that gets no answer")
    func handshake() throws {
        let listener = try Listener()
        defer { listener.close() }
        let stop = Promise<Void>()
        let socket = WebSocket(options: ConnectOptions(timeout: .endless))
        let thread = Background {
            // Once its connection is there, it waits for an answer; let go of too early, the connection
            // would end with a reset instead.
            let stream = try listener.accept(until: .ample)
            socket.abort()
            try stop.value()
            withExtendedLifetime(stream) {}
        }
        let duration = elapsed {
            let error = failure { try socket.connect(to: "ws://127.0.0.1:\(listener.port)/") }
            #expect(error?.isAborted == true, "\(String(describing: error))")
        }
        stop.fulfil()
        #expect(duration < .ample)
        try thread.join()
        #expect(!socket.isConnected)
    }

    @Test("ends the wait for a refusal's body, which isn't reported as complete")
    func refusal() throws {
        let listener = try Listener()
        defer { listener.close() }
        let stop = Promise<Void>()
        let socket = WebSocket(options: ConnectOptions(timeout: .endless))
        let peer = Background {
            let stream = try listener.accept(until: .ample)
            try stream.writeAll(
                Array("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf".utf8)
            )
            // Most likely it has read that and is waiting for the rest.
            pause(.milliseconds(100))
            socket.abort()
            try stop.value()
        }
        let error = failure { try socket.connect(to: "ws://127.0.0.1:\(listener.port)/") }
        #expect(error?.isAborted == true, "\(String(describing: error))")
        stop.fulfil()
        try peer.join()
    }

    @Test("ends the stream for the peer at once")
    func peer() throws {
        let end = Promise<Void>()
        try withSocket { server in
            server.waitForEnd()
            end.fulfil()
        } client: { socket in
            socket.abort()
            try end.value()
        }
    }
}
