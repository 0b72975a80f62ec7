import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Sending in tasks", .blocking)
struct AsyncSendTests {
    /// A message that begins with its number and is checked by its last byte.
    private static func message(_ number: Int, size: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
        withUnsafeBytes(of: UInt32(number).bigEndian) { head in
            for index in head.indices { bytes[index] = head[index] }
        }
        return bytes
    }

    private static func number(_ payload: [UInt8]) -> Int {
        payload.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    @Test("Large messages keep their place in a batch")
    func largeInBatch() async throws {
        let sizes = [10, 20_000, 300_000, 5, 16_384, 16_383, 1 << 20, 0]
        try await withAsyncSocket(server: Script.echo) { socket in
            let sent = Task {
                try await socket.withBatch { batch in
                    for (number, size) in sizes.enumerated() {
                        if number.isMultiple(of: 2) {
                            try await batch.send(binary: [UInt8](repeating: 7, count: size))
                        } else {
                            try await batch.send(String(repeating: "é", count: size / 2))
                        }
                    }
                    return batch.count
                }
            }
            for (number, size) in sizes.enumerated() {
                let message = try await socket.receive()
                #expect((message.string == nil) == number.isMultiple(of: 2))
                #expect(message.bytes.count == (number.isMultiple(of: 2) ? size : size / 2 * 2))
            }
            let count = try await sent.value
            #expect(count == sizes.count)
        }
    }

    @Test("A message reported as unsent never arrives, and an accepted one arrives whole")
    func cancelledSends() async throws {
        let arrived = Locked<[Int]>([])
        let isWhole = Locked(true)
        let done = Promise<Void>()
        let server = try LoopbackServer { connection in
            while let (_, payload) = try? connection.receive() {
                let number = Self.number(payload)
                let expected = Self.message(number, size: payload.count)
                if payload != expected { isWhole.withLock { $0 = false } }
                arrived.withLock { $0.append(number) }
                // Reads slowly, so that senders have to wait.
                if number % 50 == 0 { pause(.milliseconds(1)) }
            }
            done.fulfil()
        }
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url())
        var (unsent, accepted, sent) = (Set<Int>(), Set<Int>(), Set<Int>())
        for number in 0..<2_000 {
            let message = Self.message(number, size: number % 10 == 0 ? 700_000 : 2_000)
            let task = Task {
                if number % 3 == 0 {
                    _ = try await socket.send(consuming: message)
                } else {
                    _ = try await socket.send(binary: message)
                }
            }
            if number % 4 != 0 { await Task.yield() }
            if number % 5 != 0 { task.cancel() }
            do {
                try await task.value
                sent.insert(number)
            } catch is CancellationError {
                unsent.insert(number)
            } catch WebSocketError.cancelled(.sending(isAccepted: true)) {
                accepted.insert(number)
            }
        }
        #expect(try await socket.close(timeout: .seconds(60))?.code == .normalClosure)
        try await done.awaited(within: .seconds(60))
        #expect(isWhole.withLock { $0 })
        let numbers = arrived.withLock { $0 }
        #expect(numbers == numbers.sorted())
        #expect(Set(numbers).count == numbers.count)
        #expect(Set(numbers) == sent.union(accepted))
        #expect(unsent.isDisjoint(with: numbers))
        #expect(!unsent.isEmpty)
    }

    @Test("The rest of a message whose task was cancelled goes out without further calls")
    func rest() async throws {
        let (start, arrived) = (Promise<Void>(), Promise<Int>())
        try await withAsyncSocket(
            server: Script.reads(after: start) { arrived.fulfil($0.count) }
        ) { socket in
            let task = Task {
                try await socket.send(binary: [UInt8](repeating: 1, count: 32 << 20))
            }
            while socket.connection?.sender.needsWriting != true { await Task.yield() }
            task.cancel()
            let error = await asyncFailure { try await task.value }
            guard case WebSocketError.cancelled(.sending(isAccepted: true))? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            start.fulfil()
            let count = try await arrived.awaited()
            #expect(count == 32 << 20)
        }
    }

    @Test("A send that waits behind another is cancelled unsent")
    func unsent() async throws {
        let start = Promise<Void>()
        let sizes = Locked<[Int]>([])
        let done = Promise<Void>()
        try await withAsyncSocket(
            server: Script.reads(after: start) { payload in
                sizes.withLock { $0.append(payload.count) }
                if payload.count == 1 { done.fulfil() }
            }
        ) { socket in
            let first = Task {
                try await socket.send(binary: [UInt8](repeating: 1, count: 16 << 20))
            }
            while socket.connection?.sender.needsWriting != true { await Task.yield() }
            let second = Task {
                try await socket.send(binary: [UInt8](repeating: 2, count: 100_000))
            }
            try await Task.sleep(for: .milliseconds(20))
            second.cancel()
            await #expect(throws: CancellationError.self) { try await second.value }
            start.fulfil()
            _ = try await first.value
            try await socket.send(binary: [3])
            try await done.awaited()
            #expect(sizes.withLock { $0 } == [16 << 20, 1])
        }
    }

    @Test(
        "A send to a peer that reads nothing times out, and the message goes out later"
    )
    func timeOut() async throws {
        let (start, arrived) = (Promise<Void>(), Promise<Int>())
        var options = ConnectOptions()
        options.timeouts.send = .milliseconds(50)
        try await withAsyncSocket(
            options,
            server: Script.reads(after: start) { arrived.fulfil($0.count) }
        ) { socket in
            let message = [UInt8](repeating: 1, count: 16 << 20)
            let error = await asyncFailure { try await socket.send(binary: message) }
            #expect((error as? WebSocketError)?.isAccepted == true)
            let second = await asyncFailure { try await socket.send(binary: message) }
            #expect((second as? WebSocketError)?.isAccepted == false)
            start.fulfil()
            let count = try await arrived.awaited()
            #expect(count == 16 << 20)
        }
    }

    @Test("A ping doesn't wait behind the messages of other tasks")
    func ping() async throws {
        let start = Promise<Void>()
        try await withAsyncSocket(server: Script.reads(after: start) { _ in }) { socket in
            let bulk = Task {
                try await socket.send(binary: [UInt8](repeating: 1, count: 16 << 20))
            }
            while socket.connection?.sender.needsWriting != true { await Task.yield() }
            try await socket.ping([1])
            try await socket.pong([2])
            #expect(throws: WebSocketError.self) {
                try socket.ping([UInt8](repeating: 0, count: 126))
            }
            start.fulfil()
            _ = try await bulk.value
        }
    }

    @Test("Batches arrive in order and return how many messages went out")
    func batches() async throws {
        let count = 20_000
        let server = try LoopbackServer()
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url("/sink?count=\(count + 3)"))
        #expect(try await socket.sendBatch((0..<count).map { "\($0)" }) == count)
        #expect(try await socket.sendBatch([Message.text("a"), .binary([1])]) == 2)
        let result = try await socket.withBatch { batch in
            try await batch.send("last")
            return batch.count
        }
        #expect(result == 1)
        let verdict = try await socket.receive().string
        #expect(verdict?.hasPrefix("done") == true)
        try await socket.close()
        let error = await asyncFailure { try await socket.sendBatch(["x"]) }
        guard case WebSocketError.batchInterrupted(sent: 0, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A cancelled batch reports how many messages went out")
    func cancelledBatch() async throws {
        let start = Promise<Void>()
        let numbers = Locked<[Int]>([])
        let done = Promise<Void>()
        let server = try LoopbackServer(
            script: { connection in
                try start.value(within: .seconds(60))
                while let (_, payload) = try? connection.receive() {
                    numbers.withLock { $0.append(Self.number(payload)) }
                }
                done.fulfil()
            }
        )
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url())
        let task = Task {
            try await socket.sendBatch(
                binary: (0..<1000).lazy.map { Self.message($0, size: 100_000) }
            )
        }
        while socket.connection?.sender.needsWriting != true { await Task.yield() }
        task.cancel()
        let error = await asyncFailure { try await task.value }
        guard case WebSocketError.batchInterrupted(let sent, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        start.fulfil()
        try await socket.close(timeout: .seconds(60))
        try await done.awaited(within: .seconds(60))
        #expect(numbers.withLock { $0 } == Array(0..<sent))
    }
}
