import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Sending the chunks of an asynchronous sequence", .blocking)
struct AsyncContentsTests {
    private struct Broken: Error {}

    /// A server's record of one connection: the data frames up to the close frame, and its code.
    private struct Seen: Sendable {
        var frames: [Frame] = []
        var closeCode: CloseCode?
    }

    /// Records each frame, and answers a close frame.
    private static func records(_ seen: Promise<Seen>) -> LoopbackServer.Script {
        { connection in
            var all = Seen()
            defer { seen.fulfil(all) }
            var payload: [UInt8] = []
            while let piece = try? connection.nextPiece() {
                payload += Array(piece.bytes)
                guard piece.endsFrame else { continue }
                if piece.opcode == .close {
                    all.closeCode = CloseCode(
                        rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1])
                    )
                    try connection.write(WireFrame(.close, payload))
                    return
                }
                all.frames.append(
                    Frame(opcode: piece.opcode, payload: payload, isFinal: piece.isFinal)
                )
                payload = []
            }
        }
    }

    private static func stream(
        _ chunks: [[UInt8]],
        failing: Bool = false
    ) -> AsyncThrowingStream<[UInt8], any Error> {
        AsyncThrowingStream { continuation in
            for chunk in chunks { continuation.yield(chunk) }
            continuation.finish(throwing: failing ? Broken() : nil)
        }
    }

    @Test("Each chunk is a fragment, and an empty fragment ends the message")
    func fragments() async throws {
        let seen = Promise<Seen>()
        try await withAsyncSocket(server: Self.records(seen)) { socket in
            let progress = Locked<[Int]>([])
            let sent = try await socket.send(contentsOf: Self.stream([[1, 2], [], [3]])) {
                sent,
                total in
                #expect(total == nil)
                progress.withLock { $0.append(sent) }
            }
            #expect(sent == 3)
            #expect(progress.withLock { $0 } == [2, 3])
            try await socket.send("after it")
            try await socket.close()
        }
        let frames = try await seen.awaited().frames
        #expect(
            frames == [
                Frame(opcode: .binary, payload: [1, 2], isFinal: false),
                Frame(opcode: .continuation, payload: [3], isFinal: false),
                Frame(opcode: .continuation, payload: [], isFinal: true),
                Frame(text: "after it"),
            ]
        )
    }

    @Test(
        "With a total, the chunk that completes it is the last fragment, and no more are requested"
    )
    func total() async throws {
        let seen = Promise<Seen>()
        try await withAsyncSocket(server: Self.records(seen)) { socket in
            let (chunks, continuation) = AsyncStream<ArraySlice<UInt8>>.makeStream()
            continuation.yield([1, 2])
            continuation.yield([3])
            // The sequence isn't finished: waiting for its end would hang.
            #expect(try await socket.send(contentsOf: chunks, total: 3) == 3)
            try await socket.send(contentsOf: Self.stream([]), total: 0)
            try await socket.close()
        }
        let frames = try await seen.awaited().frames
        #expect(frames.map(\.isFinal) == [false, true, true])
        #expect(frames.map(\.payload) == [[1, 2], [3], []])
    }

    @Test("A large chunk is split, so that control frames can go out in between")
    func largeChunk() async throws {
        let seen = Promise<Seen>()
        let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await withAsyncSocket(server: Self.records(seen)) { socket in
            try await socket.send(contentsOf: Self.stream([bytes]), total: bytes.count)
            try await socket.close()
        }
        let frames = try await seen.awaited().frames
        #expect(frames.map(\.payload.count) == [262_144, 262_144, 75_712])
        #expect(frames.flatMap(\.payload) == bytes)
    }

    @Test("Messages of other tasks and threads wait for the end of the message, pings don't")
    func others() async throws {
        let seen = Promise<Seen>()
        try await withAsyncSocket(server: Self.records(seen)) { socket in
            let (chunks, continuation) = AsyncStream<[UInt8]>.makeStream()
            let first = Promise<Void>()
            let streaming = Task {
                try await socket.send(contentsOf: chunks) { sent, _ in
                    if sent == 1 { first.fulfil() }
                }
            }
            continuation.yield([1])
            try await first.awaited()
            let task = Task { try await socket.send("from a task") }
            let thread = Background { try socket.send("from a thread") }
            try await socket.ping([9])
            continuation.yield([2])
            continuation.finish()
            #expect(try await streaming.value == 2)
            _ = try await task.value
            _ = try thread.join()
            try await socket.close()
        }
        let frames = try await seen.awaited().frames
        #expect(
            frames.filter { $0.opcode != .ping }.map(\.opcode).prefix(3) == [
                .binary, .continuation, .continuation,
            ]
        )
        #expect(Set(frames.suffix(2).map(\.text)) == ["from a task", "from a thread"])
        // The ping overtook the rest of the message.
        #expect((frames.firstIndex { $0.opcode == .ping } ?? .max) < 3)
    }

    @Test("A slow peer slows the sequence down")
    func backPressure() async throws {
        let start = Promise<Void>()
        let arrived = Locked(0)
        let done = Promise<Void>()
        let produced = Locked(0)
        try await withAsyncSocket(
            server: { connection in
                try start.value()
                let (_, payload) = try connection.receive()
                arrived.withLock { $0 = payload.count }
                done.fulfil()
                connection.waitForEnd()
            }
        ) { socket in
            let chunk = [UInt8](repeating: 7, count: 100_000)
            let chunks = AsyncStream<[UInt8]> {
                produced.withLock { count in
                    count += 1
                    return count <= 500 ? chunk : nil
                }
            }
            let task = Task { try await socket.send(contentsOf: chunks) }
            while socket.connection?.sender.needsWriting != true { await Task.yield() }
            let before = produced.withLock { $0 }
            #expect(before < 500)
            try await Task.sleep(for: .milliseconds(50))
            #expect(produced.withLock { $0 } <= before + 1)
            start.fulfil()
            #expect(try await task.value == 50_000_000)
            try await done.awaited()
            #expect(arrived.withLock { $0 } == 50_000_000)
        }
    }

    @Test("A sequence that throws before its first chunk leaves the connection open")
    func failsFirst() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            await #expect(throws: Broken.self) {
                try await socket.send(contentsOf: Self.stream([], failing: true))
            }
            let error = await asyncFailure {
                try await socket.send(contentsOf: Self.stream([[1, 2]]), total: 1)
            }
            guard case WebSocketError.invalidArgument? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            try await socket.send("still there")
            #expect(try await socket.receive() == .text("still there"))
        }
    }

    @Test(
        "A sequence that throws inside the message, or ends short of its total, closes the connection with 1011"
    )
    func failsInside() async throws {
        for isShort in [false, true] {
            let seen = Promise<Seen>()
            try await withAsyncSocket(server: Self.records(seen)) { socket in
                let error = await asyncFailure {
                    try await socket.send(
                        contentsOf: Self.stream([[1], [2]], failing: !isShort),
                        total: isShort ? 3 : nil
                    )
                }
                if isShort {
                    guard case WebSocketError.invalidArgument? = error else {
                        Issue.record("\(String(describing: error))")
                        return
                    }
                } else {
                    #expect(error is Broken)
                }
                #expect(!socket.isConnected)
                #expect(socket.closeFrame?.code == .internalError)
            }
            let end = try await seen.awaited()
            #expect(end.closeCode == .internalError)
            #expect(end.frames.allSatisfy { !$0.isFinal })
        }
    }

    @Test("Cancelling inside the message closes the connection, and never completes the message")
    func cancelled() async throws {
        let seen = Promise<Seen>()
        try await withAsyncSocket(server: Self.records(seen)) { socket in
            let first = Promise<Void>()
            let (chunks, continuation) = AsyncStream<[UInt8]>.makeStream()
            continuation.yield([1])
            let task = Task {
                // When its task is cancelled, this sequence ends as if it were complete.
                try await socket.send(contentsOf: chunks) { _, _ in first.fulfil() }
            }
            try await first.awaited()
            task.cancel()
            let error = await asyncFailure { try await task.value }
            guard case WebSocketError.cancelled(.sending(isAccepted: false))? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        let end = try await seen.awaited()
        #expect(end.closeCode == .internalError)
        #expect(end.frames.map(\.isFinal) == [false])
    }

    @Test("Cancelling before the first chunk sends nothing")
    func cancelledFirst() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            let (chunks, _) = AsyncStream<[UInt8]>.makeStream()
            let task = Task { try await socket.send(contentsOf: chunks) }
            await Task.yield()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await socket.send("still there")
            #expect(try await socket.receive() == .text("still there"))
        }
    }

    @Test("A time-out inside the message ends the connection")
    func timedOut() async throws {
        let stop = Promise<Void>()
        try await withAsyncSocket(server: { _ in try stop.value() }) { socket in
            defer { stop.fulfil() }
            socket.timeout = .milliseconds(50)
            let chunk = [UInt8](repeating: 7, count: 100_000)
            let chunks = AsyncStream<[UInt8]> { chunk }
            let error = await asyncFailure { try await socket.send(contentsOf: chunks) }
            guard case WebSocketError.timedOut(.sending(isAccepted: false))? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!socket.isConnected)
        }
    }

    @Test("Text is checked across chunks")
    func text() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            try await socket.send(contentsOf: Self.stream([[0x61, 0xC3], [0xA4]]), as: .text)
            #expect(try await socket.receive() == .text("aä"))
            for chunks: [[UInt8]] in [[[0xC0]], [[0xFF, 0x61]]] {
                let error = await asyncFailure {
                    try await socket.send(contentsOf: Self.stream(chunks), as: .text)
                }
                guard case WebSocketError.invalidPayload(offset: 0)? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
            try await socket.send("still there")
            #expect(try await socket.receive() == .text("still there"))
            let error = await asyncFailure {
                try await socket.send(contentsOf: Self.stream([[0x61, 0xC3]]), as: .text, total: 2)
            }
            guard case WebSocketError.invalidPayload? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }
}
