import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("The sending half", .blocking)
struct SenderTests {
    /// Takes as much as it has room for, and lets a function have a say before each write.
    private final class Sink: ByteStream {
        let beforeWrite = Locked<(@Sendable () -> Void)?>(nil)
        let writes = Atomic(0)
        let room = Atomic(Int.max)
        let taken = Locked<[UInt8]>([])

        var descriptor: Int32 { -1 }
        var isSecure: Bool { false }

        func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer { .endOfStream }

        func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
            writes.add(1, ordering: .relaxed)
            beforeWrite.withLock { $0 }?()
            let room = room.load(ordering: .relaxed)
            guard room > 0 else { return .wouldBlock(.write) }
            let part = bytes.prefix(room)
            self.room.subtract(part.count, ordering: .relaxed)
            taken.withLock { $0 += part }
            return .bytes(part.count)
        }

        func wait(
            for interest: Interest,
            until deadline: Deadline
        ) throws(TransportError) -> Interest { throw .timedOut(.transfer) }
        func nudge() {}
        func finishWriting() {}
        func abort() {}
    }

    @Test("Who writes for others stops when there is no end of them")
    func relief() throws {
        let sink = Sink()
        let sender = Sender(stream: sink, role: .client, makeMaskingKey: nil, deflater: nil)
        let refused = Atomic(0)
        // For each write there is another message, of somebody who won't wait for a turn.
        sink.beforeWrite.withLock {
            $0 = {
                [UInt8](repeating: 1, count: 10).withUnsafeBytes { bytes in
                    let frame = OutgoingFrame(opcode: .binary, payload: bytes)
                    do {
                        try sender.send(frame, timeout: .zero)
                    } catch {
                        refused.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        defer { sink.beforeWrite.withLock { $0 = nil } }
        try [UInt8]([1]).withUnsafeBytes { bytes in
            try sender.send(OutgoingFrame(opcode: .binary, payload: bytes), timeout: .seconds(5))
        }
        #expect(refused.load(ordering: .relaxed) > 0)
        #expect(sink.writes.load(ordering: .relaxed) < 100)
        #expect(!sender.hasUnsentBytes, "what was accepted has gone out")
    }

    @Test("A frame of a batch isn't accepted when time runs out on those before it")
    func batchBehindOthers() throws {
        let sink = Sink()
        let sender = Sender(stream: sink, role: .client, makeMaskingKey: nil, deflater: nil)
        try [UInt8]([1]).withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .binary, payload: bytes)
            var writer = try sender.writer(timeout: .seconds(5))
            try writer.append(frame)
            try sender.sendWithoutWaiting(OutgoingFrame(opcode: .ping, payload: bytes))
            sink.room.store(0, ordering: .relaxed)
            do throws(SendFailure) {
                try writer.append(frame)
                Issue.record("it was accepted")
            } catch {
                guard case .transport(.timedOut, isAccepted: false) = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }

    @Test("What a time-out left of others' frames goes out before the batch goes on")
    func batchGoesOn() throws {
        let sink = Sink()
        let sender = Sender(stream: sink, role: .server, makeMaskingKey: nil, deflater: nil)
        try [UInt8]([7, 8]).withUnsafeBytes { bytes in
            let frame = OutgoingFrame(opcode: .binary, payload: bytes)
            var writer = try sender.writer(timeout: .seconds(5))
            try sender.sendWithoutWaiting(OutgoingFrame(opcode: .ping, payload: bytes))
            // The ping goes out in part.
            sink.room.store(1, ordering: .relaxed)
            #expect(throws: SendFailure.self) { try writer.append(frame) }
            sink.room.store(.max, ordering: .relaxed)
            try writer.append(frame)
            try writer.flush()
        }
        #expect(sink.taken.withLock { $0 } == [0x89, 2, 7, 8, 0x82, 2, 7, 8])
    }

    @Test("A pong of the caller's waits like any other frame, and is never dropped")
    func pongBehindMany() throws {
        let sink = Sink()
        let sender = Sender(stream: sink, role: .client, makeMaskingKey: nil, deflater: nil)
        try [UInt8](repeating: 1, count: 125).withUnsafeBytes { bytes in
            let pong = OutgoingFrame(opcode: .pong, payload: bytes)
            do {
                let writer = try sender.writer(timeout: .seconds(5))
                // Answers to pings, of which some are dropped in the end.
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
                _ = consume writer
            }
            let before = sink.taken.withLock { $0.count }
            #expect(before > 16 << 10 && before < 32 << 10)
            try sender.send(pong, timeout: .seconds(5))
            #expect(sink.taken.withLock { $0.count } == before + 131)
        }
    }
}
