import Synchronization

@testable import WebSocketClient

/// The other end of a stream in memory, which answers at once.
protocol MemoryPeer: AnyObject {
    /// Takes the bytes that were sent and returns the answer.
    func receive(_ bytes: [UInt8]) -> [UInt8]

    /// Whether it has ended the stream after its last bytes.
    var hasEnded: Bool { get }
}

/// A stream in memory that follows a fault plan.
///
/// Time isn't spent waiting: a wait that nothing could end times out at once. So every run of a plan is
/// the same, and is as fast as its bytes.
final class FaultyStream: ByteStream {
    fileprivate struct State {
        var plan = FaultPlan.none
        var inbound: [UInt8] = []
        var readBytes = 0
        var writtenBytes = 0
        var inboundTotal = 0
        /// The fault has happened and is over.
        var isOver = false
        var isReset = false
        var isAborted = false
        /// Whether the next call or wait has to be repeated.
        var repeatsCall = false
        var repeatsWait = false
        var writes = 0
        var waits = 0
        var endlessWaits = 0
    }

    // Safe: the peer is touched only under the lock.
    nonisolated(unsafe) private let peer: any MemoryPeer
    private let state = Locked(State())
    /// The action of `.abort`.
    private let onAbort = Locked<(@Sendable () -> Void)?>(nil)

    /// `descriptor` is for callers that want to register one; nothing is read from it.
    init(_ peer: any MemoryPeer, descriptor: Int32 = -1) {
        self.peer = peer
        self.descriptor = descriptor
    }

    /// Follows this plan from here on; its offset counts from now.
    func begin(_ plan: FaultPlan, onAbort: (@Sendable () -> Void)? = nil) {
        self.onAbort.withLock { $0 = onAbort }
        state.withLock { state in
            state.plan = plan
            state.readBytes = 0
            state.writtenBytes = 0
        }
    }

    /// Bytes read and written since the plan began.
    var progress: (read: Int, written: Int) {
        state.withLock { ($0.readBytes, $0.writtenBytes) }
    }

    /// How many times somebody has written.
    var writes: Int { state.withLock { $0.writes } }
    /// How many times somebody has waited.
    var waits: Int { state.withLock { $0.waits } }
    /// How many of the waits would have lasted forever.
    var endlessWaits: Int { state.withLock { $0.endlessWaits } }
    /// Whether `abort()` was called.
    var isAborted: Bool { state.withLock { $0.isAborted } }

    let descriptor: Int32
    var isSecure: Bool { false }

    /// In reality another thread does it; here it happens at the planned byte.
    private func abortIfPlanned() {
        if state.withLock({ $0.meetsAbort() }) { onAbort.withLock { $0 }?() }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        abortIfPlanned()
        return try state.withLock { state throws(TransportError) in
            if state.isAborted { throw .aborted }
            guard !buffer.isEmpty else { return .bytes(0) }
            if state.mustRepeat() {
                return .wouldBlock(state.plan.interference == .crossed ? .write : .read)
            }
            state.loseInboundByte()
            let room = state.room(.inbound)
            let count = min(state.inbound.count, room, buffer.count, state.plan.pieceBytes)
            if count > 0 {
                buffer.copyBytes(from: state.inbound[..<count])
                state.inbound.removeFirst(count)
                state.readBytes += count
                return .bytes(count)
            }
            if room == 0 {
                switch state.plan.fault {
                case .reset: throw state.reset("recv")
                case .end: return .endOfStream
                default: break
                }
            } else if state.isReset {
                throw state.reset("recv")
            } else if peer.hasEnded {
                return .endOfStream
            }
            return .wouldBlock(.read)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        abortIfPlanned()
        return try state.withLock { state throws(TransportError) in
            state.writes += 1
            if state.isAborted { throw .aborted }
            if state.isReset { throw .system(call: "send", .brokenPipe) }
            guard !bytes.isEmpty else { return .bytes(0) }
            if state.mustRepeat() {
                return .wouldBlock(state.plan.interference == .crossed ? .read : .write)
            }
            let room = state.room(.outbound)
            let count = min(bytes.count, room, state.plan.pieceBytes)
            guard count > 0 else {
                switch state.plan.fault {
                case .reset, .end: throw state.reset("send")
                default: break
                }
                return .wouldBlock(.write)
            }
            let passed = state.withoutLostByte(Array(bytes[..<count]))
            state.writtenBytes += count
            state.inbound += peer.receive(passed)
            return .bytes(count)
        }
    }

    @discardableResult
    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        abortIfPlanned()
        return try state.withLock { state throws(TransportError) in
            if state.isAborted { throw .aborted }
            state.waits += 1
            if state.plan.interference == .interrupted, !state.isStalled {
                state.repeatsWait.toggle()
                if state.repeatsWait { return interest }
            }
            let ready = state.ready(peerHasEnded: peer.hasEnded).intersection(interest)
            if !ready.isEmpty { return ready }
            if state.isStalled {
                if state.plan.fault == .cut || state.plan.fault == .stallOnce {
                    state.isOver = true
                }
                if state.plan.fault == .cut { return interest }
            }
            if deadline == .never { state.endlessWaits += 1 }
            throw .timedOut(nil)
        }
    }

    func nudge() {}
    func finishWriting() {}

    func abort() { state.withLock { $0.isAborted = true } }
}

extension FaultyStream.State {
    /// How many bytes may still pass before the fault.
    fileprivate func room(_ direction: FaultPlan.Direction) -> Int {
        guard plan.fault != nil, plan.direction == direction, !isOver else { return .max }
        return max(0, plan.offset - (direction == .inbound ? readBytes : writtenBytes))
    }

    fileprivate mutating func loseInboundByte() {
        guard plan.direction == .inbound, let lost = plan.lostByte,
            (readBytes..<readBytes + inbound.count).contains(lost)
        else { return }
        inbound.remove(at: inbound.startIndex + lost - readBytes)
        plan.lostByte = nil
    }

    /// How much of the next bytes written arrives.
    fileprivate func withoutLostByte(_ bytes: [UInt8]) -> [UInt8] {
        guard plan.direction == .outbound, let lost = plan.lostByte,
            (writtenBytes..<writtenBytes + bytes.count).contains(lost)
        else { return bytes }
        var bytes = bytes
        bytes.remove(at: lost - writtenBytes)
        return bytes
    }

    /// Whether the fault has been reached.
    fileprivate var isStalled: Bool { room(plan.direction) == 0 }

    /// True once, when it is time to abort.
    fileprivate mutating func meetsAbort() -> Bool {
        guard plan.fault == .abort, isStalled else { return false }
        isOver = true
        return true
    }

    fileprivate mutating func mustRepeat() -> Bool {
        // Storms end when a stall begins, as time would never pass otherwise.
        guard plan.interference != .calm, !isStalled else { return false }
        repeatsCall.toggle()
        return repeatsCall
    }

    fileprivate mutating func reset(_ call: String) -> TransportError {
        defer { isReset = true }
        return .system(call: call, isReset && call == "send" ? .brokenPipe : .connectionReset)
    }

    /// The directions in which a call would not block.
    fileprivate func ready(peerHasEnded: Bool) -> Interest {
        if isReset { return [.read, .write] }
        // A call that had to be repeated can be now.
        if repeatsCall, !isStalled { return [.read, .write] }
        let breaks = plan.fault == .reset || plan.fault == .end
        var ready: Interest = []
        let inboundRoom = room(.inbound)
        if inboundRoom > 0 ? !inbound.isEmpty || peerHasEnded : breaks { ready.insert(.read) }
        if room(.outbound) > 0 || breaks { ready.insert(.write) }
        return ready
    }
}
