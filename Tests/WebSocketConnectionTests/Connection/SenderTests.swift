import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("The sending half", .blocking)
struct SenderTests {
    @Test("A thread that writes for others stops even if they never do")
    func relief() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        let refused = Atomic(0)
        // For each write there is another message, of a thread that won't wait for a turn.
        stream.beforeWrite.withLock {
            $0 = {
                let other = Background {
                    sendFailure { () throws(SendFailure) in try sender.send(10, timeout: .zero) }
                }
                if (try? other.join()) != nil { refused.add(1, ordering: .relaxed) }
            }
        }
        defer { stream.beforeWrite.withLock { $0 = nil } }
        try sender.send(1)
        let refusedCount = refused.load(ordering: .relaxed)
        #expect(refusedCount > 0)
        #expect(!sender.hasUnsentBytes, "accepted frames have gone out")
    }

    @Test("While the stream is full, a sender whose frame has gone doesn't wait for other threads'")
    func noWaitingForOthers() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        let isFirst = Atomic(true)
        let large = Promise<Background<SendFailure?>>()
        // During the first write, one thread leaves a frame to the writer, and another one begins to wait
        // for the turn. Then there is room for the writer's own frame, and for nothing else.
        stream.beforeWrite.withLock {
            $0 = {
                guard isFirst.exchange(false, ordering: .relaxed) else { return }
                let left = Background {
                    sendFailure { () throws(SendFailure) in try sender.send(1000) }
                }
                _ = try? left.join()
                large.fulfil(
                    Background {
                        sendFailure { () throws(SendFailure) in try sender.send(100_000) }
                    }
                )
                stream.setRoom(16)
            }
        }
        // The closure owns what owns it.
        defer { stream.beforeWrite.withLock { $0 = nil } }
        let small = Promise<SendFailure?>()
        let sending = Background {
            small.fulfil(
                sendFailure { () throws(SendFailure) in try sender.send(10, timeout: .endless) }
            )
        }
        let outcome = Result { try small.value(within: .ample) }
        stream.setRoom(.max)
        #expect(try outcome.get() == nil)
        #expect(try large.value().join() == nil)
        try sending.join()
        #expect(stream.taken.count == 16 + 1008 + 100_014)
        #expect(!sender.hasUnsentBytes)
    }

    @Test("A time limit applies even if the peer reads as fast as it can")
    func strictLimit() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        let size = 4 << 20
        let failure = sendFailure { () throws(SendFailure) in try sender.send(size, timeout: .zero)
        }
        guard case .transport(.timedOut, isAccepted: true) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(stream.writes <= 3)
        // The rest goes out before anything else.
        try sender.send(1)
        #expect(stream.taken.count == FrameHeader.frameLength(payload: size, isMasked: true) + 7)
    }

    @Test("A consumed array has a time limit too, and its rest is kept")
    func strictLimitInPlace() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        let size = 4 << 20
        let failure = sendFailure { () throws(SendFailure) in
            try sender.send(consuming: [UInt8](repeating: 1, count: size), timeout: .zero)
        }
        guard case .transport(.timedOut, isAccepted: true) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        try sender.send(1)
        #expect(stream.taken.count == FrameHeader.frameLength(payload: size, isMasked: true) + 7)
    }

    @Test("A client sends a large array from its own memory, unless it is to be compressed")
    func sendingInPlace() {
        let size = 16 << 10
        let plain = Sender(ScriptedStream())
        #expect(!plain.sendsInPlace(size))
        #expect(plain.sendsInPlace(size + 1))
        let compressing = Sender(
            stream: ScriptedStream(),
            role: .client,
            makeMaskingKey: nil,
            deflater: Deflater(windowBits: 15, noContextTakeover: false, options: DeflateOptions())
        )
        #expect(!compressing.sendsInPlace(size + 1))
        // It masks nothing, and so has nothing to gain.
        #expect(!Sender(ScriptedStream(), role: .server).sendsInPlace(size + 1))
    }

    @Test("Behind the close frame, what was accepted before can still be waited for")
    func writtenBeforeClose() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        var deadline = LazyDeadline(.ample)
        try sender.send(10)
        try sender.sendClose(ClosePayload(code: .normalClosure), &deadline) {}
        #expect(stream.taken.count == 16 + 8)
        #expect(try sender.writeAccepted(&deadline) == 16 + 8)
        let attempt = try sender.attemptWritingAccepted(knocking: nil, limit: deadline)
        guard case .got(let position) = attempt else {
            Issue.record("\(attempt)")
            return
        }
        #expect(position == 16 + 8)
    }

    @Test("A frame left to another thread whose connection fails is reported to its sender")
    func lostFrame() throws {
        let stream = ScriptedStream()
        stream.setRoom(0)
        let sender = Sender(stream)
        let large = Background {
            sendFailure { () throws(SendFailure) in try sender.send(1 << 20) }
        }
        stream.awaitWaiter()
        let small = Background { sendFailure { () throws(SendFailure) in try sender.send(10) } }
        pause(.milliseconds(30))
        stream.fail(.system(call: "send", .connectionReset))
        for thread in [large, small] {
            let failure = try thread.join()
            guard case .transport(.system, _) = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
        }
        // The first failure is final.
        let later = sendFailure { () throws(SendFailure) in try sender.send(1) }
        guard case .transport(.system(_, .connectionReset), _) = later else {
            Issue.record("\(String(describing: later))")
            return
        }
    }

    @Test("A frame of up to 64 KiB is left to the thread that writes, and a larger one waits")
    func largestLeft() throws {
        let stream = ScriptedStream()
        stream.setRoom(0)
        let sender = Sender(stream)
        let large = Background {
            sendFailure { () throws(SendFailure) in try sender.send(1 << 20) }
        }
        stream.awaitWaiter()
        for (count, isLeft) in [(64 << 10, true), ((64 << 10) + 1, false)] {
            let failure = sendFailure { () throws(SendFailure) in
                try sender.send(count, timeout: .milliseconds(10))
            }
            guard case .transport(.timedOut, let isAccepted)? = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
            #expect(isAccepted == isLeft)
        }
        stream.setRoom(.max)
        #expect(try large.join() == nil)
        #expect(stream.taken.count == (1 << 20) + 14 + (64 << 10) + 14)
        #expect(!sender.hasUnsentBytes)
    }

    @Test("A frame left to another thread that gives up is written by its own sender")
    func takenOver() throws {
        let stream = ScriptedStream()
        stream.setRoom(0)
        let sender = Sender(stream)
        let large = Background {
            sendFailure { () throws(SendFailure) in
                try sender.send(100_000, timeout: .milliseconds(50))
            }
        }
        stream.awaitWaiter()
        let small = Background { sendFailure { () throws(SendFailure) in try sender.send(10) } }
        guard case .transport(.timedOut, isAccepted: true) = try large.join() else {
            Issue.record("the peer took nothing")
            return
        }
        stream.setRoom(.max)
        #expect(try small.join() == nil)
        #expect(stream.taken.count == 100_000 + 14 + 16)
        #expect(!sender.hasUnsentBytes)
    }

    @Test("A thread that waits for the peer sends the bytes that others left")
    func nudges() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream)
        let calls = Atomic(0)
        sender.onUnsentBytes { calls.add(1, ordering: .relaxed) }
        try sender.send(10)
        #expect(stream.nudges == 0)
        stream.setRoom(3)
        #expect(
            sendFailure { () throws(SendFailure) in try sender.send(10, timeout: .zero) } != nil
        )
        #expect(stream.nudges == 1)
        let callCount = calls.load(ordering: .relaxed)
        #expect(callCount == 1)
        #expect(sender.needsWriting)
        stream.setRoom(.max)
        sender.flushWithoutWaiting()
        #expect(!sender.needsWriting)
        #expect(stream.taken.count == 32)
    }

    @Test("Other threads' messages are taken in portions, so that control frames can overtake them")
    func portions() throws {
        var queue = SendQueue(masks: false)
        let message = [UInt8](repeating: 1, count: 1_000)
        let count = 300
        try message.withUnsafeBytes { bytes in
            for _ in 0..<count {
                let outcome = queue.append(
                    OutgoingFrame(opcode: .binary, payload: bytes),
                    maskingKey: nil
                )
                guard case .queued = outcome else { throw SupportError("\(outcome)") }
            }
        }
        var total = 0
        var isControlNext = false
        while true {
            var portion: [UInt8] = []
            guard let ticket = queue.takePortion(into: &portion) else { break }
            if isControlNext {
                #expect(portion == [0x89, 0])
                isControlNext = false
                continue
            }
            #expect(portion.count <= 64 << 10)
            #expect(portion.count % 1_004 == 0)
            total += portion.count
            #expect(ticket.end == UInt64(total))
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            _ = queue.append(OutgoingFrame(opcode: .ping, payload: nothing), maskingKey: nil)
            isControlNext = true
        }
        #expect(total == 1_004 * count)
        #expect(queue.count == 0)
    }

    @Test("A thread's next message stays behind its queued one, even if control frames come")
    func ownOrder() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream, role: .server)
        let pong = [UInt8](repeating: 9, count: 125)
        stream.setRoom(0)
        // Bytes to be written first, and behind them the queue.
        #expect(sendFailure { () throws(SendFailure) in try sender.send(1, timeout: .zero) } != nil)
        try [UInt8]([1, 2]).withUnsafeBytes { bytes in
            let queued = try sender.enqueue(OutgoingFrame(opcode: .binary, payload: bytes))
            #expect(queued != nil)
        }
        let isFirst = Atomic(true)
        stream.beforeWrite.withLock {
            $0 = {
                guard isFirst.exchange(false, ordering: .relaxed) else { return }
                // More bytes than the queue had.
                pong.withUnsafeBytes { bytes in
                    try? sender.sendWithoutWaiting(OutgoingFrame(opcode: .pong, payload: bytes))
                }
            }
        }
        defer { stream.beforeWrite.withLock { $0 = nil } }
        stream.setRoom(.max)
        try sender.send(3)
        let expected = [0x82, 1, 7, 0x8A, 125] + pong + [0x82, 2, 1, 2, 0x82, 3, 7, 7, 7]
        #expect(stream.taken == expected)
    }

    @Test("A masking key that sends on its own connection is refused at once")
    func reentrantKey() throws {
        let stream = ScriptedStream()
        let inner = Locked<[SendFailure?]>([])
        let box = Locked<Sender?>(nil)
        let sender = Sender(
            stream: stream,
            role: .client,
            makeMaskingKey: {
                let sender = box.withLock { $0 }
                let failure = sendFailure { () throws(SendFailure) in
                    try sender?.send(10, timeout: nil)
                }
                inner.withLock { $0.append(failure) }
                return 1
            },
            deflater: nil
        )
        box.withLock { $0 = sender }
        defer { box.withLock { $0 = nil } }
        try sender.send(5)
        let failures = inner.withLock { $0 }
        #expect(failures.count == 1)
        guard case .reentrant? = failures.first else {
            Issue.record("\(failures)")
            return
        }
        #expect(stream.taken.count == 11)
    }

    @Test("After a time-out, the rest of other threads' frames goes out before the batch goes on")
    func batchGoesOn() throws {
        let stream = ScriptedStream()
        let sender = Sender(stream, role: .server)
        try [UInt8]([7, 8]).withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .binary, payload: bytes)
            var writer = try sender.writer(timeout: .milliseconds(20))
            // Only part of the ping goes out.
            stream.setRoom(1)
            try sender.sendWithoutWaiting(OutgoingFrame(opcode: .ping, payload: bytes))
            try writer.append(frame)
            #expect(throws: SendFailure.self) { try writer.flush() }
            stream.setRoom(.max)
            try writer.append(frame)
            try writer.flush()
            writer.finish()
        }
        #expect(stream.taken == [0x89, 2, 7, 8, 0x82, 2, 7, 8, 0x82, 2, 7, 8])
    }

    @Test(
        "A batch that was left behind another's message counts what is lost of it, and nothing else",
        arguments: [0, 2, 3, 6, 7, 10, 11, 14]
    )
    func batchLost(passing: Int) throws {
        let stream = ScriptedStream()
        let sender = Sender(stream, role: .server)
        // One byte of four goes out.
        stream.setRoom(1)
        #expect(sendFailure { () throws(SendFailure) in try sender.send(2, timeout: .zero) } != nil)
        let lost = try [UInt8]([7, 8]).withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .binary, payload: bytes)
            var writer = try sender.writer(timeout: .zero)
            for _ in 0..<3 { try writer.append(frame) }
            #expect(throws: SendFailure.self) { try writer.flush() }
            stream.setRoom(passing)
            // Each time one write.
            for _ in 0..<3 { sender.flushWithoutWaiting() }
            stream.fail(.aborted)
            #expect(throws: SendFailure.self) {
                try writer.append(frame)
                try writer.flush()
            }
            defer { writer.finish() }
            return writer.abandon()
        }
        #expect(stream.taken.count == 1 + passing)
        // And the one after the failure.
        #expect(lost == 4 - max(passing - 3, 0) / 4)
    }

    @Test("While a batch has the compressor, short messages go out, and those to compress wait")
    func besideCompressor() throws {
        let stream = ScriptedStream()
        let sender = Sender(
            stream: stream,
            role: .client,
            makeMaskingKey: nil,
            deflater: Deflater(windowBits: 15, noContextTakeover: false, options: DeflateOptions())
        )
        func send(_ count: Int, timeout: Duration) throws -> SendFailure? {
            try Background {
                sendFailure { () throws(SendFailure) in try sender.send(count, timeout: timeout) }
            }.join()
        }
        try [UInt8](repeating: 7, count: 1000).withUnsafeBytes { bytes in
            var writer = try sender.writer(timeout: .ample)
            try writer.append(OutgoingFrame(opcode: .binary, payload: bytes))
            #expect(try send(10, timeout: .ample) == nil)
            let failure = try send(1000, timeout: .milliseconds(10))
            if case .transport(.timedOut, isAccepted: false)? = failure {
            } else {
                Issue.record("\(String(describing: failure))")
            }
            #expect(stream.taken.count == 16)
            try writer.flush()
            writer.finish()
        }
        #expect(try send(1000, timeout: .ample) == nil)
    }

    @Test("The caller's own pong waits like any other frame, and is never dropped")
    func pongBehindMany() throws {
        let stream = ScriptedStream()
        stream.setRoom(0)
        let sender = Sender(stream)
        try [UInt8](repeating: 1, count: 125).withUnsafeBytes { bytes in
            let pong = OutgoingFrame(opcode: .pong, payload: bytes)
            // Answers to pings, some of which are dropped in the end.
            for _ in 0..<1000 { try sender.sendWithoutWaiting(pong) }
            do throws(SendFailure) {
                try sender.send(pong, timeout: .milliseconds(10))
                Issue.record("it was dropped")
            } catch {
                guard case .transport(.timedOut, isAccepted: false) = error else {
                    Issue.record("\(error)")
                    return
                }
            }
            stream.setRoom(.max)
            sender.flushWithoutWaiting()
            let before = stream.taken.count
            #expect(before > 16 << 10 && before < 33 << 10)
            try sender.send(pong, timeout: .seconds(5))
            #expect(stream.taken.count == before + 131)
        }
    }
}
