import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Corked messages in the sending half", .blocking)
struct CorkTests {
    /// A time that never comes in a test.
    private static let never = Corking.upTo(.endless)

    private func makeSender(_ stream: ScriptedStream, _ corking: Corking = never) -> Sender {
        Sender(
            stream: stream,
            role: .server,
            makeMaskingKey: nil,
            deflater: nil,
            corking: corking
        )
    }

    private func send(
        _ payload: [UInt8],
        _ opcode: Opcode = .binary,
        by sender: Sender,
        checked: Bool = false,
        timeout: Duration? = .seconds(60)
    ) throws(SendFailure) {
        try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
            let frame = OutgoingFrame(opcode: opcode, payload: bytes, needsUTF8Check: checked)
            try sender.send(frame, timeout: timeout)
        }
    }

    private func frame(_ payload: UInt8...) -> [UInt8] {
        WireFrame(.binary, payload).bytes
    }

    @Test("They go out with one system call when somebody is about to wait for an answer")
    func together() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        for number in UInt8(0)..<100 { try send([number], by: sender) }
        #expect(stream.writes == 0)
        #expect(!sender.needsWriting, "corked messages don't wait for room")
        sender.uncork()
        #expect(stream.writes == 1)
        #expect(stream.taken == (UInt8(0)..<100).flatMap { frame($0) })
        sender.uncork()
        #expect(stream.writes == 1, "there is nothing more to write")
    }

    @Test("A full buffer goes out whole, and the next message is corked")
    func full() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let payload = [UInt8](repeating: 1, count: 1_000)
        let length = FrameHeader.frameLength(payload: 1_000, isMasked: false)
        var count = 0
        while stream.writes == 0 {
            try send(payload, by: sender)
            count += 1
        }
        #expect(stream.writes == 1)
        #expect(stream.taken.count == (count - 1) * length)
        #expect(stream.taken.count > 250_000)
        var deadline = LazyDeadline(.seconds(60))
        #expect(try sender.writeAccepted(&deadline) == UInt64(count * length))
        #expect(stream.writes == 2)
    }

    @Test(
        "A control frame takes the corked messages along, and doesn't wait",
        arguments: [false, true]
    )
    func control(isAnswer: Bool) throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        try send([1], by: sender)
        try send([2], by: sender)
        if isAnswer {
            try [UInt8]([9]).span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                try sender.sendWithoutWaiting(OutgoingFrame(opcode: .pong, payload: bytes))
            }
        } else {
            try send([9], .ping, by: sender)
        }
        let last = WireFrame(isAnswer ? .pong : .ping, [9]).bytes
        #expect(stream.taken == frame(1) + frame(2) + last)
    }

    @Test("The close frame goes behind the corked messages, and nothing is corked after it")
    func close() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        try send([1], by: sender)
        var deadline = LazyDeadline(.seconds(60))
        try sender.sendClose(ClosePayload(code: .normalClosure), &deadline) {}
        #expect(stream.taken == frame(1) + WireFrame(.close, [3, 0xE8]).bytes)
        let failure = sendFailure { () throws(SendFailure) in try send([2], by: sender) }
        guard case .closing? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test("Batches, large messages and consumed arrays stay behind the corked messages")
    func others() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        var expected: [UInt8] = []
        try send([1], by: sender)
        try [UInt8]([2]).span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
            var writer = try sender.writer(timeout: nil)
            try writer.append(OutgoingFrame(opcode: .binary, payload: bytes))
            try writer.flush()
            writer.finish()
        }
        expected += frame(1) + frame(2)
        #expect(stream.taken == expected)
        try send([3], by: sender)
        let large = [UInt8](repeating: 4, count: 300_000)
        try send(large, by: sender)
        expected += frame(3) + WireFrame(.binary, large).bytes
        #expect(stream.taken == expected)
        try send([5], by: sender)
        try sender.send(consuming: large, timeout: nil)
        #expect(stream.taken.count == expected.count + 3 + 300_010)
    }

    @Test(
        "They go out by themselves after the time, with a fast peer and with a slow one"
    )
    func delay() throws {
        let stream = ScriptedStream()
        stream.setRoom(2)
        let sender = makeSender(stream, .upTo(.milliseconds(1)))
        try send([1], by: sender)
        #expect(eventually { stream.taken.count == 2 })
        // The reactor tries again by itself.
        stream.setRoom(.max)
        #expect(eventually { stream.taken == frame(1) })
        // The timer has come up in between, with nothing to do.
        for number in UInt8(2)..<20 {
            pause(.milliseconds(Int(number % 5)))
            try send([number], by: sender)
            #expect(eventually { stream.taken == (1...number).flatMap { frame($0) } })
        }
    }

    @Test("A sender that doesn't pause makes few system calls, and every message goes out")
    func busy() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream, .upTo(.milliseconds(20)))
        let count = 50_000
        for number in 0..<count { try send([UInt8(truncatingIfNeeded: number)], by: sender) }
        #expect(eventually { stream.taken.count == 3 * count })
        #expect(stream.writes < count / 4)
    }

    @Test("Each thread's messages keep their order", arguments: [Corking.upTo(.endless), .upTo()])
    func threads(corking: Corking) throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream, corking)
        let count = 2_000
        let threads = (UInt8(0)..<4).map { thread in
            Background {
                for number in 0..<count {
                    try send([thread, UInt8(number >> 8), UInt8(number & 255)], by: sender)
                    if number % 97 == 0 { sender.uncork() }
                    if number % 89 == 0 { try send([thread], .ping, by: sender) }
                }
            }
        }
        for thread in threads { try thread.join() }
        var deadline = LazyDeadline(.seconds(60))
        _ = try sender.writeAccepted(&deadline)
        var next = [Int](repeating: 0, count: 4)
        var rest = stream.taken[...]
        while let opcode = rest.first {
            let length = Int(rest[rest.startIndex + 1])
            let payload = Array(rest.dropFirst(2).prefix(length))
            rest = rest.dropFirst(2 + length)
            guard opcode == 0x82 else { continue }
            let thread = Int(payload[0])
            #expect(next[thread] == Int(payload[1]) << 8 | Int(payload[2]))
            next[thread] += 1
        }
        #expect(next == [count, count, count, count])
    }

    @Test("The next call throws the failure, and the messages that didn't go are counted")
    func lost() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        for number in UInt8(0)..<5 { try send([number], by: sender) }
        // Two go out, and the third in part.
        stream.setRoom(7)
        sender.uncork()
        #expect(stream.taken.count == 7)
        stream.fail(.system(call: "send", .connectionReset))
        let failure = sendFailure { () throws(SendFailure) in try send([9], by: sender) }
        guard case .transport(.system(_, .connectionReset), isAccepted: false)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(sender.cork?.lost == 3)
        #expect(sendFailure { () throws(SendFailure) in try send([9], by: sender) } != nil)
        #expect(sender.cork?.lost == 3, "a message that was refused isn't counted")
    }

    @Test("While the stream is full, a message waits as without corking, up to its time limit")
    func timeout() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        stream.setRoom(1)
        try send([1], by: sender)
        sender.uncork()
        #expect(sender.needsWriting)
        let failure = sendFailure { () throws(SendFailure) in
            try send([2], by: sender, timeout: .milliseconds(20))
        }
        guard case .transport(.timedOut, isAccepted: false)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        stream.setRoom(.max)
        try send([3], by: sender)
        sender.uncork()
        #expect(stream.taken == frame(1) + frame(3))
    }

    @Test("Text that isn't UTF-8 is refused, and corked messages before it stay")
    func text() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        try send([1], by: sender)
        let failure = sendFailure { () throws(SendFailure) in
            try send([0x61, 0xFF], .text, by: sender, checked: true)
        }
        guard case .invalidUTF8(offset: 1)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        try send([2], by: sender)
        sender.uncork()
        #expect(stream.taken == frame(1) + frame(2))
    }

    @Test("Corked messages go out when the last reference to the connection is released")
    func dropped() throws {
        let stream = ScriptedStream()
        var sender: Sender? = makeSender(stream, .upTo(.milliseconds(1)))
        try sender.map { sender in try send([1], by: sender) }
        sender = nil
        #expect(stream.taken == frame(1))
    }

    @Test("A corked message's receipt is its position, before and after it goes out")
    func receipts() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        var position: StreamPosition?
        for number in UInt64(1)...3 {
            try [UInt8]([1]).span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                try sender.send(
                    OutgoingFrame(opcode: .binary, payload: bytes),
                    timeout: nil,
                    endingAt: &position
                )
            }
            #expect(position == 3 * number)
        }
        #expect(stream.writes == 0)
        #expect(!sender.hasWritten(9))
        sender.uncork()
        #expect(sender.hasWritten(9))
    }

    @Test("A time of zero turns corking off, and any length of time is accepted")
    func options() throws {
        #expect(Corking.off.delay == nil)
        #expect(Corking.upTo(.zero).delay == nil)
        #expect(Corking.upTo(.seconds(-1)).delay == nil)
        #expect(Corking.upTo().delay == .microseconds(200))
        for delay in [Duration.nanoseconds(1), .seconds(Int64.max)] {
            let stream = ScriptedStream()
            let sender = makeSender(stream, .upTo(delay))
            for _ in 0..<200 { try send([1], by: sender) }
            sender.uncork()
            #expect(eventually { stream.taken.count == 600 })
        }
    }
}
