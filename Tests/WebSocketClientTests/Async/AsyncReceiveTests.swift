import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Receiving in tasks", .blocking)
struct AsyncReceiveTests {
    @Test("An echoed message is received")
    func echo() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            try await socket.send("hello")
            #expect(try await socket.receive() == .text("hello"))
            try await socket.send(binary: [1, 2, 3])
            #expect(try await socket.next() == .binary([1, 2, 3]))
            let large = [UInt8](repeating: 7, count: 3 << 20)
            try await socket.send(consuming: large)
            #expect(try await socket.receive() == .binary(large))
            try await socket.send(.text("bye"))
            #expect(try await socket.receive() == .text("bye"))
            #expect(try await socket.close()?.code == .normalClosure)
        }
    }

    @Test(
        "Pings and pongs are delivered on request",
        arguments: [WebSocket.self, Bystander.self]
    )
    func controlFrames(type: WebSocket.Type) async throws {
        try await withAsyncSocket(as: type) { connection in
            try connection.write(
                WireFrame(.ping, [1]),
                WireFrame(.text, text: "a", isFinal: false),
                WireFrame(.pong, [2]),
                WireFrame(.continuation, [0x62]),
                WireFrame(.pong, [3]),
                WireFrame(.binary, [4])
            )
            connection.waitForEnd()
        } client: { socket in
            for expected in [
                Frame(opcode: .ping, payload: [1]), Frame(opcode: .pong, payload: [2]),
                Frame(text: "ab"),
            ] {
                let frame = try await socket.receiveDataFrame(controlFrames: true)
                #expect(frame == expected)
            }
            let (opcode, payload) = try await socket.receiveData()
            #expect(opcode == .binary && payload == [4])
        }
    }

    @Test("The loop over messages ends when the peer closes cleanly")
    func messages() async throws {
        try await withAsyncSocket { connection in
            for number in 0..<100 { try connection.send(text: "\(number)") }
            try connection.flush()
            try connection.write(WireFrame(.close, [0x03, 0xE8]))
            connection.waitForEnd()
        } client: { socket in
            var texts: [String] = []
            for try await message in socket.messages { texts.append(message.string ?? "") }
            #expect(texts == (0..<100).map { "\($0)" })
            #expect(try await socket.next() == nil)
        }
    }

    @Test("The loop throws any other end of the connection")
    func uncleanEnd() async throws {
        try await withAsyncSocket { connection in
            try connection.send(text: "one")
            try connection.flush()
        } client: { socket in
            var count = 0
            let error = await asyncFailure {
                for try await _ in socket.messages { count += 1 }
            }
            #expect(count == 1)
            #expect((error as? WebSocketError)?.closure?.received == nil)
            #expect((error as? WebSocketError)?.closure != nil)
        }
    }

    @Test("Leaving the loop doesn't close the connection")
    func leaving() async throws {
        try await withAsyncSocket { connection in
            for number in 0..<3 { try connection.send(text: "\(number)") }
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            for try await message in socket.messages where message == .text("0") { break }
            for try await message in socket.messages {
                #expect(message == .text("1"))
                break
            }
            #expect(try await socket.receive() == .text("2"))
            #expect(socket.isConnected)
        }
    }

    @Test("Messages are lent in place, and an error of the body ends the loop")
    func lending() async throws {
        try await withAsyncSocket { connection in
            for number in 0..<1000 { try connection.send(text: "\(number)") }
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            var sum = 0
            var count = 0
            try await socket.forEachMessage { opcode, payload in
                #expect(opcode == .text)
                payload.withUnsafeBytes { sum += Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
                count += 1
                return count < 500
            }
            #expect(sum == (0..<500).reduce(0, +))
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                try await socket.forEachMessage { _, _ in throw Stop() }
            }
            #expect(try await socket.receive() == .text("501"))
        }
    }

    @Test("Cancelled receives neither lose nor duplicate a message")
    func cancelledReceives() async throws {
        let count = 5_000
        try await withAsyncSocket { connection in
            for number in 0..<count {
                try connection.send(text: "\(number)")
                // From time to time nothing is there, and a receive has to wait.
                if number % 7 == 0 { try connection.flush() }
            }
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            var next = 0
            var cancelled = 0
            while next < count {
                let task = Task { try await socket.receive() }
                if cancelled % 3 == 0 { await Task.yield() }
                task.cancel()
                do {
                    let message = try await task.value
                    #expect(message == .text("\(next)"))
                    next += 1
                } catch is CancellationError {
                    cancelled += 1
                    // Let one through from time to time, whatever the scheduler does.
                    if cancelled.isMultiple(of: 5) {
                        #expect(try await socket.receive() == .text("\(next)"))
                        next += 1
                    }
                }
            }
            #expect(cancelled > 0)
        }
    }

    @Test("A waiting receive ends at once when its task is cancelled")
    func cancelling() async throws {
        try await withAsyncSocket { connection in
            let (_, payload) = try connection.receive()
            try connection.send(binary: payload)
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            let task = Task { try await socket.receive() }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(socket.isConnected)
            try await socket.send("x")
            #expect(try await socket.receive() == .binary(Array("x".utf8)))
        }
    }

    @Test("A cancelled task receives nothing, although a message is there")
    func cancelledBefore() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            try await socket.send("x")
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await socket.receive()
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await socket.receive() == .text("x"))
        }
    }

    @Test("Receiving times out as the blocking call does, and nothing is lost")
    func timeOut() async throws {
        let go = Promise<Void>()
        var options = ConnectOptions()
        options.timeouts.receive = .milliseconds(30)
        try await withAsyncSocket(options) { connection in
            try connection.write([0x81, 0x05, 0x68])
            try go.value(within: .seconds(60))
            try connection.write([0x65, 0x6C, 0x6C, 0x6F])
            connection.waitForEnd()
        } client: { socket in
            let error = await asyncFailure { try await socket.receive() }
            #expect((error as? WebSocketError)?.isReceiveTimeout == true)
            go.fulfil()
            socket.timeout = .seconds(60)
            let message = try await socket.receive()
            #expect(message == .text("hello"))
        }
    }

    @Test("A hundred receiving tasks don't block the pool, and share the messages")
    func pool() async throws {
        let go = Promise<Void>()
        try await withAsyncSocket { connection in
            try go.value(within: .seconds(60))
            for number in 0..<100 { try connection.send(text: "\(number)") }
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            try await withThrowingTaskGroup(of: Message.self) { group in
                for _ in 0..<100 { group.addTask { try await socket.receive() } }
                // If they held their threads, this would never run.
                let others = (0..<10).map { _ in Task { for _ in 0..<100 { await Task.yield() } } }
                for other in others { await other.value }
                go.fulfil()
                var texts: Set<String> = []
                for try await message in group { texts.insert(message.string ?? "") }
                #expect(texts.count == 100)
            }
        }
    }

    @Test("A slow loop slows a fast peer down")
    func backPressure() async throws {
        let sent = Locked(0)
        let isStuck = Promise<Void>()
        try await withAsyncSocket { connection in
            let message = [UInt8](repeating: 1, count: 64 << 10)
            for _ in 0..<2_000 {
                try connection.send(binary: message)
                try connection.flush()
                sent.withLock { $0 += 1 }
            }
            connection.waitForEnd()
        } client: { socket in
            _ = try await socket.receive()
            // The peer stops when the system's buffers are full: 125 MiB don't fit.
            var before = -1
            while before != sent.withLock({ $0 }) {
                before = sent.withLock { $0 }
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(before < 2_000)
            var count = 1
            while count < 2_000 {
                _ = try await socket.receive()
                count += 1
            }
            isStuck.fulfil()
        }
    }

    @Test("A message of many pieces, pings among them, is received whole")
    func pieces() async throws {
        try await withAsyncSocket { connection in
            for index in 0..<200 {
                let isFirst = index == 0
                let isLast = index == 199
                try connection.write(
                    [(isLast ? 0x80 : 0) | (isFirst ? 2 : 0), 100]
                        + [UInt8](repeating: UInt8(index), count: 100)
                )
                if index % 10 == 5 { try connection.write([0x89, 0x01, UInt8(index)]) }
            }
            for index in stride(from: 5, to: 200, by: 10) {
                let piece = try connection.nextPiece()
                guard piece.opcode == .pong, Array(piece.bytes) == [UInt8(index)] else { return }
            }
            try connection.send(text: "all pongs came")
            try connection.flush()
            connection.waitForEnd()
        } client: { socket in
            let expected = (0..<200).flatMap { [UInt8](repeating: UInt8($0), count: 100) }
            let whole = try await socket.receive()
            #expect(whole == .binary(expected))
            #expect(try await socket.receive() == .text("all pongs came"))
        }
    }
}
