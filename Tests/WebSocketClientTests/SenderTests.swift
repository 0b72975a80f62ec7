import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("The sending half", .timeLimit(.minutes(5)))
struct SenderTests {
    /// Takes everything at once, and lets a function have a say before each write.
    private final class Sink: ByteStream {
        let beforeWrite = Locked<(@Sendable () -> Void)?>(nil)
        let writes = Atomic(0)
        let isFull = Atomic(false)

        var descriptor: Int32 { -1 }
        var isSecure: Bool { false }

        func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer { .endOfStream }

        func write(_ bytes: UnsafeRawBufferPointer) -> Transfer {
            writes.add(1, ordering: .relaxed)
            beforeWrite.withLock { $0 }?()
            return isFull.load(ordering: .relaxed) ? .wouldBlock(.write) : .bytes(bytes.count)
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
            sink.isFull.store(true, ordering: .relaxed)
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
}
