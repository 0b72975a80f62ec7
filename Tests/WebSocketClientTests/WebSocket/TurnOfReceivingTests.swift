import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

/// Calls from inside a loop over messages, and from other threads meanwhile.
@Suite("The receiving turn", .blocking)
struct TurnOfReceivingTests {
    /// Far longer than anything here takes: only a call that waits for itself would reach it.
    private static let long = Duration.seconds(60)

    private static func options() -> ConnectOptions {
        var options = ConnectOptions()
        options.timeouts.close = long
        return options
    }

    @Test("Closing from inside the loop performs the closing handshake in the loop's turn")
    func closeInside() throws {
        let peers = ClosePayload(code: .goingAway, reason: "bye")
        try withSocket(Self.options()) { server in
            try server.write(WireFrame(.text, text: "first"), WireFrame(.text, text: "second"))
            _ = try server.receiveClose()
            try server.write(WireFrame(.text, text: "late"), WireFrame(.close, peers.encoded))
        } client: { socket in
            var seen: [String] = []
            let duration = elapsed {
                let error = failure {
                    try socket.forEachMessage { _, payload in
                        let answer = try socket.close()
                        #expect(answer == peers)
                        seen.append(
                            payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                        )
                        return true
                    }
                }
                #expect(error?.end?.received == peers)
            }
            #expect(seen == ["first"], "the message stays unchanged, and the loop ends")
            #expect(duration < Self.long)
            #expect(!socket.isConnected)
        }
    }

    @Test("A loop that closes and ends returns without an error")
    func closeAndLeave() throws {
        try withSocket(Self.options()) { server in
            try server.write(WireFrame(.binary, [UInt8](repeating: 7, count: 300_000)))
            let payload = try server.receiveClose()
            try server.write(WireFrame(.close, payload))
        } client: { socket in
            var isIntact = false
            try socket.forEachMessage { _, payload in
                let answer = try socket.close()
                #expect(answer == ClosePayload(code: .normalClosure))
                isIntact = payload.withUnsafeBytes { bytes in
                    bytes.count == 300_000 && bytes.allSatisfy { $0 == 7 }
                }
                return false
            }
            #expect(isIntact)
        }
    }

    @Test("The payload in the loop's body isn't overwritten by bytes that arrive during closing")
    func closeUnderFlood() throws {
        let flood = [WireFrame](
            repeating: WireFrame(.binary, [UInt8](repeating: 2, count: 9_000)),
            count: 100
        )
        try withSocket(Self.options()) { server in
            try server.write(WireFrame(.binary, [UInt8](repeating: 1, count: 9_000)))
            try server.write(flood.bytes)
            let payload = try server.receiveClose()
            try server.write(flood.bytes)
            try server.write(WireFrame(.close, payload))
        } client: { socket in
            try socket.forEachMessage { _, payload in
                let answer = try socket.close()
                #expect(answer == ClosePayload(code: .normalClosure))
                #expect(payload.withUnsafeBytes { $0.allSatisfy { $0 == 1 } })
                return false
            }
        }
    }

    enum Call: CaseIterable { case receive, receiveFrame, receiveData, loop, part, next }

    private static func receive(_ call: Call, from socket: WebSocket) throws {
        switch call {
        case .receive: _ = try socket.receive()
        case .receiveFrame: _ = try socket.receiveFrame()
        case .receiveData: _ = try socket.receiveData()
        case .loop: try socket.forEachMessage { _, _ in false }
        case .part:
            var room: InlineArray<8, UInt8> = .init(repeating: 0)
            var span = room.mutableSpan
            var bytes = span.mutableBytes
            _ = try socket.receive(into: &bytes)
        case .next: _ = try socket.next()
        }
    }

    @Test("Receiving from inside the loop is refused at once", arguments: Call.allCases)
    func receiveInside(call: Call) throws {
        let stop = Promise<Void>()
        try withSocket(Self.options()) { server in
            try server.write(WireFrame(.text, text: "a"), WireFrame(.text, text: "b"))
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            var error: WebSocketError?
            try socket.forEachMessage { _, _ in
                error = failure { try Self.receive(call, from: socket) }
                return false
            }
            guard case .invalidArgument = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try socket.receive() == .text("b"), "nothing was lost")
        }
    }

    enum Ending: CaseIterable { case abort, close }

    @Test(
        "The loop ends with the connection, even if more messages have been read",
        arguments: Ending.allCases
    )
    func loopEnds(ending: Ending) throws {
        let stop = Promise<Void>()
        try withSocket { server in
            try server.write([WireFrame](repeating: WireFrame(.text, text: "x"), count: 1000).bytes)
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            var count = 0
            let error = failure {
                try socket.forEachMessage { _, _ in
                    count += 1
                    if ending == .abort { socket.abort() } else { try socket.close(timeout: .zero) }
                    return true
                }
            }
            #expect(count == 1)
            if ending == .abort {
                #expect(error?.isAborted == true)
            } else {
                #expect(error?.end != nil)
            }
        }
    }

    @Test("A call that waits for its turn ends with the connection", arguments: Ending.allCases)
    func waitingForTurn(ending: Ending) throws {
        let stop = Promise<Void>()
        let isInside = Promise<Void>()
        try withSocket { server in
            try server.write(WireFrame(.text, text: "a"))
            try stop.value()
        } client: { socket in
            let holder = Background {
                failure {
                    try socket.forEachMessage { _, _ in
                        isInside.fulfil()
                        try stop.value()
                        return false
                    }
                }
            }
            try isInside.value()
            let waiting = Background { failure { try socket.receive() } }
            pause(.milliseconds(50))
            if ending == .abort { socket.abort() } else { try socket.close(timeout: .zero) }
            let error = try waiting.join()
            if ending == .abort {
                #expect(error?.isAborted == true)
            } else {
                #expect(error?.end != nil)
            }
            stop.fulfil()
            #expect(try holder.join() == nil)
        }
    }

    @Test("Threads that close at the same time, one of them from inside its loop, all return")
    func closeFromEverywhere() throws {
        try withSocket(Self.options()) { server in
            try server.write(WireFrame(.text, text: "a"))
            let payload = try server.receiveClose()
            try server.write(WireFrame(.close, payload))
        } client: { socket in
            let inside = Background { () -> ClosePayload? in
                var answer: ClosePayload?
                try socket.forEachMessage { _, _ in
                    answer = try socket.close()
                    return false
                }
                return answer
            }
            let answers = [try inside.join(), try socket.close()]
            #expect(answers == Array(repeating: ClosePayload(code: .normalClosure), count: 2))
        }
    }
}

extension WebSocketError {
    fileprivate var end: ConnectionEnd? {
        if case .connectionClosed(let end) = self { end } else { nil }
    }
}
