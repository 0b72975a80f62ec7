import WebSocketProtocol

/// A connection whose owner waits by itself, for many connections at a time: every step does what
/// can be done at once, the closing handshake included.
///
/// It belongs to one thread; others may send and close through the `WebSocket` meanwhile.
final class SteppedConnection {
    /// What a step found.
    enum Step {
        case message(Message)
        /// A frame of a message, if fragments are asked for.
        case fragment(Frame)
        /// A ping, answered already, or a pong.
        case control(Opcode, [UInt8])
        /// Something that is of no interest to the owner; go on.
        case nothing
        /// Nothing more until the descriptor is ready or the deadline has passed.
        case wait
        /// The connection has ended; the descriptor may be let go.
        case ended(WebSocketError)
    }

    private enum Phase {
        case open
        /// A close frame is on its way; until the peer has answered and ended the stream, what
        /// arrives is dropped. The error is what will be the end, if the peer broke a rule.
        case closing(until: Deadline, WebSocketError?)
    }

    let connection: Connection
    private let deliversFragments: Bool
    private let closeTimeout: Duration
    private var phase = Phase.open
    private var isContended = false
    private let wake: @Sendable () -> Void

    /// Reads that are dropped in one step, so that a flood can't hold up other connections.
    private static let discardedReads = 16

    /// `wake` has the owner take another step; other threads call it.
    init(
        _ connection: Connection,
        deliversFragments: Bool,
        closeTimeout: Duration,
        wake: @escaping @Sendable () -> Void
    ) {
        self.wake = wake
        self.connection = connection
        self.deliversFragments = deliversFragments
        self.closeTimeout = closeTimeout
        connection.sender.onUnsentBytes(wake)
    }

    deinit { connection.sender.onUnsentBytes(nil) }

    var descriptor: Int32 { connection.stream.descriptor }

    /// Whether a close frame has been sent or received.
    var isClosing: Bool {
        if case .open = phase { false } else { true }
    }

    /// What to wait for; nothing while another thread receives.
    var interest: Interest {
        if isContended { return [] }
        let reading = connection.receiver.awaited
        return connection.sender.needsWriting ? reading.union(.write) : reading
    }

    /// When to take the next step at the latest.
    var deadline: Deadline {
        guard case .closing(let deadline, _) = phase else { return .never }
        return deadline
    }

    /// The descriptor is ready.
    func becameReady(for interest: Interest) {
        if interest.contains(.write) { connection.sender.flushWithoutWaiting() }
        guard connection.receiver.turn.tryTake() else { return }
        connection.receiver.stopAwaiting()
        connection.receiver.leave()
    }

    /// Sends a frame of at most 125 bytes as far as that goes at once.
    func send(_ opcode: Opcode, _ payload: [UInt8]) {
        payload.withUnsafeBytes { bytes in
            // A connection that is closing takes no more frames, and needs none.
            try? connection.sender.sendWithoutWaiting(OutgoingFrame(opcode: opcode, payload: bytes))
        }
    }

    /// Begins the closing handshake, unless it has begun.
    func close(_ payload: ClosePayload, timeout: Duration? = nil) {
        beginClosing(payload, timeout: timeout ?? closeTimeout, end: nil)
    }

    private func beginClosing(
        _ payload: ClosePayload,
        timeout: Duration,
        end: WebSocketError?
    ) {
        guard case .open = phase else { return }
        phase = .closing(until: .after(timeout), end)
        try? connection.sender.sendCloseWithoutWaiting(payload) {
            connection.state.withLock { $0.closeSent = payload }
        }
    }

    func step() -> Step {
        if let end = connection.end { return .ended(end) }
        isContended = !connection.receiver.turn.take(orCallBack: wake)
        if isContended { return .wait }
        defer { connection.receiver.leave() }
        var now = LazyDeadline.immediate
        do throws(ReceiveFailure) {
            guard case .closing(let deadline, let end) = phase else { return try receive(&now) }
            if deadline.isPast { return finish(end, cause: "closing timed out") }
            guard end == nil, connection.closeReceived == nil else {
                for _ in 0..<Self.discardedReads { try connection.receiver.discard(&now) }
                return .nothing
            }
            // This end has closed: all but the peer's close frame is dropped.
            _ = try receive(&now)
            return .nothing
        } catch {
            return stepped(into: error)
        }
    }

    // MARK: In turn

    private func receive(_ now: inout LazyDeadline) throws(ReceiveFailure) -> Step {
        let receiver = connection.receiver
        if deliversFragments {
            let frame = try receiver.nextFrame(&now)
            guard frame.opcode.isControl else { return .fragment(try inflate(frame)) }
            return frame.payload.withUnsafeBytes { take(frame.opcode, $0) }
        }
        switch try receiver.nextEvent(&now) {
        case .message(.text, let bytes):
            return .message(.text(receiver.decoder.assembler.makeText(bytes)))
        case .message(_, let bytes): return .message(.binary(Array(bytes)))
        case .assembledMessage(.text):
            return .message(.text(receiver.decoder.assembler.takeText()))
        case .assembledMessage: return .message(.binary(receiver.decoder.assembler.takeBytes()))
        case .control(let opcode, let payload): return take(opcode, payload)
        case .needsMoreBytes: return .nothing
        }
    }

    private func inflate(_ frame: Frame) throws(ReceiveFailure) -> Frame {
        let receiver = connection.receiver
        do throws(ProtocolViolation) {
            _ = try receiver.decoder.join(frame)
        } catch {
            throw .violation(error)
        }
        let payload = receiver.decoder.assembler.takeBytes()
        return Frame(opcode: frame.opcode, payload: payload, isFinal: frame.isFinal)
    }

    private func take(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) -> Step {
        guard opcode == .close else {
            let payload = Array(payload)
            if opcode == .ping { send(.pong, payload) }
            return .control(opcode, payload)
        }
        do throws(ProtocolViolation) {
            let received = try ClosePayload(decoding: payload)
            connection.state.withLock { $0.closeReceived = received }
            // RFC 6455 §5.5.1: "the endpoint typically echos the status code it received".
            close(ClosePayload(code: received.code))
        } catch {
            fail(error)
        }
        return .nothing
    }

    private func stepped(into failure: ReceiveFailure) -> Step {
        switch (failure, phase) {
        case (.transport(.timedOut), _):
            return .wait
        case (.violation(let violation), .open):
            fail(violation)
            return .nothing
        case (.violation(let violation), .closing):
            return finish(WebSocketError(violation), cause: nil)
        case (_, .closing(_, let error)) where error != nil || connection.closeReceived != nil:
            return finish(error, cause: nil)
        default:
            return end(connection.receiveError(failure))
        }
    }

    /// Tells the peer which rule it broke, and ends (RFC 6455 §7.1.7).
    private func fail(_ violation: ProtocolViolation) {
        let payload = ClosePayload(code: violation.closeCode)
        beginClosing(payload, timeout: closeTimeout, end: WebSocketError(violation))
    }

    private func finish(_ error: WebSocketError?, cause: String?) -> Step {
        let cause = connection.closeReceived == nil ? cause : nil
        return end(error ?? .connectionClosed(connection.connectionEnd(cause: cause)))
    }

    private func end(_ error: WebSocketError) -> Step {
        let error = connection.finish(error)
        connection.stream.finishWriting()
        connection.stream.abort()
        return .ended(error)
    }
}
