import Synchronization
import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// A stream in memory that takes as much as there is room for, and fails on request. Its waits are
/// real, so that threads can meet in it.
final class ScriptedStream: ByteStream {
    struct State {
        var room = Int.max
        var failure: TransportError?
        var taken: [UInt8] = []
        var writes = 0
        var waits = 0
        var nudges = 0
        var isNudged = false
    }

    private let state = Locked(State())
    /// Is called before each write, outside every lock of the stream.
    let beforeWrite = Locked<(@Sendable () -> Void)?>(nil)

    var taken: [UInt8] { state.withLock { $0.taken } }
    var writes: Int { state.withLock { $0.writes } }
    var nudges: Int { state.withLock { $0.nudges } }

    /// Sets how many more bytes are taken.
    func setRoom(_ room: Int) { state.withLock { $0.room = room } }

    func fail(_ error: TransportError) { state.withLock { $0.failure = error } }

    /// Returns once somebody waits for room.
    func awaitWaiter() { while state.withLock({ $0.waits == 0 }) { pause(.milliseconds(1)) } }

    var descriptor: Int32 { -1 }
    var isSecure: Bool { false }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer { .endOfStream }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        beforeWrite.withLock { $0 }?()
        return try state.withLock { state throws(TransportError) in
            state.writes += 1
            if let failure = state.failure { throw failure }
            guard state.room > 0 else { return .wouldBlock(.write) }
            let part = bytes.prefix(state.room)
            if state.room < .max { state.room -= part.count }
            state.taken += part
            return .bytes(part.count)
        }
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        state.withLock { $0.waits += 1 }
        while true {
            let (isReady, isNudged) = state.withLock { state in
                defer { state.isNudged = false }
                return (state.room > 0 || state.failure != nil, state.isNudged)
            }
            if isReady { return interest }
            if isNudged { return [] }
            if deadline.isPast { throw .timedOut(nil) }
            pause(.milliseconds(1))
        }
    }

    func nudge() {
        state.withLock { state in
            state.nudges += 1
            state.isNudged = true
        }
    }

    func finishWriting() {}
    func abort() { fail(.aborted) }
}

extension Sender {
    convenience init(_ stream: ScriptedStream, role: Role = .client) {
        self.init(stream: stream, role: role, makeMaskingKey: nil, deflater: nil)
    }

    /// Sends a binary message of `count` bytes.
    func send(_ count: Int, timeout: Duration? = .seconds(60)) throws(SendFailure) {
        let result = [UInt8](repeating: 7, count: count).withUnsafeBytes { bytes in
            Result { () throws(SendFailure) in
                try send(OutgoingFrame(opcode: .binary, payload: bytes), timeout: timeout)
            }
        }
        try result.get()
    }
}

/// The error of a call of the sending half.
func sendFailure(_ body: () throws(SendFailure) -> Void) -> SendFailure? {
    do throws(SendFailure) {
        try body()
        return nil
    } catch {
        return error
    }
}
