import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Time-outs", .blocking)
struct TimeoutTests {
    // MARK: Receiving

    enum Way: CaseIterable {
        case receive, receiveData, receiveFrame, forEachMessage, parts, subclass
    }

    private func receive(_ socket: WebSocket, _ way: Way, into parts: inout [UInt8]) throws
        -> [UInt8]
    {
        switch way {
        case .receive, .subclass: return try socket.receive().bytes
        case .receiveData: return try socket.receiveData().payload
        case .receiveFrame: return try socket.receiveFrame().payload
        case .forEachMessage:
            var message: [UInt8] = []
            try socket.forEachMessage { _, bytes in
                message = bytes.withUnsafeBytes { Array($0) }
                return false
            }
            return message
        case .parts:
            var buffer = [UInt8](repeating: 0, count: 10_000)
            while true {
                let part = try buffer.withUnsafeMutableBytes { bytes in
                    var span = MutableRawSpan(_unsafeBytes: bytes)
                    return try socket.receive(into: &span)
                }
                parts += buffer[..<part.count]
                if part.isLast { return parts }
            }
        }
    }

    @Test(
        "After a time-out, receiving goes on where it stopped",
        arguments: Way.allCases,
        [10, 1000, 300_000]
    )
    func resume(way: Way, size: Int) throws {
        let message = TestMessage(sender: 1, number: 2, size: size).bytes
        let frames =
            way == .receiveFrame
            ? WireFrame(.binary, message).bytes
            : [
                WireFrame(.binary, Array(message[..<(size / 2)]), isFinal: false),
                WireFrame(.ping, [1, 2, 3]),
                WireFrame(.continuation, Array(message[(size / 2)...])),
            ].bytes
        // Inside each header, behind the first, and inside the payloads.
        let header = WireFrame(.binary, Array(message[..<(size / 2)])).bytes.count - size / 2
        let cuts = [1, header, 5, size / 4, size / 2 + 5, size / 2 + 8, frames.count - 1]
        let next = Promise<Void>()
        let steps = (0..<cuts.count).map { _ in Promise<Void>() }
        let server = try LoopbackServer { server in
            var start = 0
            for (cut, step) in zip(cuts.map { min(max($0, 1), frames.count) }, steps) {
                try server.write(Array(frames[start..<max(start, cut)]))
                start = max(start, cut)
                try step.value()
            }
            try server.write(Array(frames[start...]))
            try next.value()
        }
        defer { server.stop() }
        defer { next.fulfil() }
        let kind = way == .subclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url())
        socket.timeout = .milliseconds(60)
        var parts: [UInt8] = []
        for step in steps {
            let duration = elapsed {
                let error = failure { try receive(socket, way, into: &parts) }
                #expect(error?.isReceiveTimeout == true, "\(String(describing: error))")
            }
            #expect(duration >= .milliseconds(59))
            step.fulfil()
        }
        socket.timeout = .ample
        #expect(try receive(socket, way, into: &parts) == message)
    }

    @Test(
        "A time-out of zero takes buffered messages and doesn't wait",
        arguments: [100, 2_000_000]
    )
    func zero(size: Int) throws {
        let go = Promise<Void>()
        let stop = Promise<Void>()
        try withSocket { server in
            try go.value()
            try server.write(WireFrame(.binary, Array(repeating: 1, count: size)))
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = .zero
            for _ in 0..<10 {
                let duration = elapsed {
                    #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
                }
                #expect(duration < .ample)
            }
            go.fulfil()
            let limit = Deadline.ample
            while !limit.isPast {
                guard let message = try? socket.receive() else { continue }
                #expect(message == .binary(Array(repeating: 1, count: size)))
                return
            }
            Issue.record("nothing came")
        }
    }

    @Test("Waiting for the turn to receive respects the time-out")
    func turn() throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = .endless
            let other = Background { failure { try socket.receive() } }
            pause(.milliseconds(50))
            socket.timeout = .milliseconds(100)
            let duration = elapsed {
                #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
            }
            #expect(duration < .ample)
            socket.abort()
            _ = try other.join()
        }
    }

    // MARK: Sending

    /// How messages are sent.
    enum Sending: CaseIterable {
        case bytes, consumed, text, span, frame, fragments, batch, subclass
    }

    /// Sends one message; returns whether it will go out, and whether time ran out.
    private func send(
        _ message: [UInt8],
        as way: Sending,
        to socket: WebSocket
    ) throws -> (isAccepted: Bool, isLate: Bool) {
        let error = failure {
            switch way {
            case .bytes, .subclass: try socket.send(binary: message)
            case .consumed: try socket.send(consuming: message.map { $0 })
            case .text: try socket.send(String(decoding: message, as: UTF8.self))
            case .span: try socket.send(text: message.span.bytes)
            case .frame: try socket.send(frame: Frame(binary: message))
            case .fragments: try socket.send(fragments: [message])
            case .batch: try socket.sendBatch(binary: [message])
            }
        }
        switch error {
        case nil: return (true, false)
        case .timedOut(.sending(let isAccepted)): return (isAccepted, true)
        case .batchInterrupted(let sent, _): return (sent == 1, true)
        case .some(let error): throw error
        }
    }

    @Test(
        "A message that timed out goes out first, whole and once",
        arguments: Sending.allCases
    )
    func sendTimeout(way: Sending) throws {
        let go = Promise<Void>()
        let received = Promise<[TestMessage?]>()
        let server = try LoopbackServer { server in
            try go.value()
            received.fulfil {
                var messages: [TestMessage?] = []
                while true {
                    let (_, payload) = try server.receive()
                    if payload == [0] { return messages }
                    messages.append(TestMessage(payload))
                }
            }
            server.waitForEnd()
        }
        defer { server.stop() }
        let kind = way == .subclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url())
        socket.timeout = .milliseconds(100)

        var accepted: [TestMessage] = []
        var timeouts = 0
        var number = 0
        // Sizes below and above the buffers', until nothing moves any more.
        while timeouts < 6 {
            let size = [700_000, 20, 90_000, 3_000_000, 300_000, 126][number % 6]
            let message = TestMessage(sender: 3, number: number, size: size)
            var outcome = (isAccepted: false, isLate: false)
            let duration = try elapsed { outcome = try send(message.bytes, as: way, to: socket) }
            #expect(duration < .ample)
            if outcome.isAccepted { accepted.append(message) }
            if outcome.isLate { timeouts += 1 }
            number += 1
        }
        #expect(accepted.count < number, "something was refused in the end")
        #expect(!accepted.isEmpty)
        go.fulfil()
        socket.timeout = .ample
        let last = TestMessage(sender: 3, number: number, size: 1000)
        let outcome = try send(last.bytes, as: way, to: socket)
        #expect(outcome.isAccepted && !outcome.isLate)
        accepted.append(last)
        try socket.send(binary: [0])
        let messages = try received.value()
        #expect(!messages.contains(nil), "a message was damaged")
        #expect(messages.compactMap(\.self) == accepted)
    }

    @Test("Unsent bytes go out even if another thread is already waiting to receive")
    func unsentBesideReceiver() throws {
        let go = Promise<Void>()
        let size = 8 << 20
        try withSocket { server in
            try go.value()
            let (_, payload) = try server.receive()
            try server.send(text: "\(payload.count)")
            try server.flush()
            server.waitForEnd()
        } client: { socket in
            socket.timeout = .ample
            let receiver = Background { try socket.receive() }
            pause(.milliseconds(100))
            socket.options.timeouts.send = .milliseconds(100)
            let message = [UInt8](repeating: 5, count: size)
            let isAccepted = failure { try socket.send(binary: message) }?.isAccepted
            #expect(isAccepted == true)
            go.fulfil()
            let answer = try receiver.join()
            #expect(answer == .text("\(size)"))
        }
    }

    @Test("Unsent bytes go out while a thread receives")
    func unsentWhileReceiving() throws {
        let go = Promise<Void>()
        let received = Promise<Int>()
        try withSocket { server in
            try go.value()
            var count = 0
            while count < 8 {
                let (_, payload) = try server.receive()
                count += payload.count == 1 << 20 ? 1 : 0
                if payload == [9] { break }
            }
            received.fulfil(count)
            try server.send(text: "\(count)")
            try server.flush()
            server.waitForEnd()
        } client: { socket in
            socket.timeout = .milliseconds(50)
            let message = [UInt8](repeating: 5, count: 1 << 20)
            var accepted = 0
            while accepted < 8 {
                let error = failure { try socket.send(binary: message) }
                if error == nil || error?.isAccepted == true { accepted += 1 } else { break }
            }
            let isStuck = accepted < 8
            go.fulfil()
            socket.timeout = .ample
            // Nothing else is sent after the last message, so receiving has to write its rest.
            if isStuck { try socket.send(binary: [9]) }
            #expect(try socket.receive() == .text("\(accepted)"))
            #expect(try received.value() == accepted)
        }
    }

    @Test("Waiting for the turn to send respects the time-out", arguments: [10, 200_000])
    func sendTurn(size: Int) throws {
        let stop = Promise<Void>()
        try withSocket { _ in
            try stop.value()
        } client: { socket in
            defer { stop.fulfil() }
            socket.timeout = .endless
            let blocked = Background {
                failure { try socket.send(binary: [UInt8](repeating: 1, count: 64 << 20)) }
            }
            let descriptor = try #require(socket.fileDescriptor)
            #expect(eventually { !Descriptors.isWritable(descriptor) })
            socket.timeout = .milliseconds(100)
            for _ in 0..<5 {
                let duration = elapsed {
                    let error = failure {
                        try socket.send(binary: [UInt8](repeating: 2, count: size))
                    }
                    // A small message is left to the thread that holds the turn, and waited for only if
                    // that thread is already waiting.
                    let isLeft = error == nil || error?.isAccepted == true
                    #expect(isLeft == (size == 10), "\(String(describing: error))")
                }
                #expect(duration < .ample)
            }
            socket.abort()
            let error = try blocked.join()
            #expect(error?.isAborted == true)
        }
    }
}
