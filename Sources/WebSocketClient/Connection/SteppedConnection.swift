import WebSocketProtocol

/// A connection whose owner does the waiting, for many connections at a time: every step does as much
/// as it can without waiting, the closing handshake included.
///
/// It belongs to one thread; others may send, receive and close through the `WebSocket`, and wake the
/// owner when they leave work for it.
final class SteppedConnection {
    typealias Step = ReceiveStep

    let connection: Connection
    private var wish: ReceiveWish
    private var awaited = Interest.read
    /// Another thread holds the receiving turn; when it leaves, the owner is woken.
    private var isContended = false

    /// Other threads call `wake` to have the owner take another step.
    init(
        _ connection: Connection,
        deliversFragments: Bool,
        wake: @escaping @Sendable () -> Void
    ) {
        self.connection = connection
        wish = deliversFragments ? .fragments : .messages
        connection.receiver.attend(wake)
        connection.sender.onUnsentBytes(wake)
    }

    deinit {
        connection.receiver.stopAttending()
        connection.sender.onUnsentBytes(nil)
    }

    var descriptor: Int32 { connection.stream.descriptor }

    /// Whether the closing handshake has begun.
    var isClosing: Bool { connection.closeDeadline != nil }

    /// What to wait for; nothing while another thread receives.
    var interest: Interest {
        let reading = isContended ? [] : awaited
        return connection.sender.needsWriting ? reading.union(.write) : reading
    }

    /// The latest time to take the next step.
    var deadline: Deadline { connection.closeDeadline ?? .never }

    /// Notes that the descriptor is ready.
    func becameReady(for interest: Interest) {
        if interest.contains(.write) { connection.sender.flushWithoutWaiting() }
    }

    /// Sends a frame of at most 125 bytes, without waiting.
    func send(_ opcode: Opcode, _ payload: [UInt8]) {
        if opcode == .ping { connection.traffic.pingLeaves(payload) }
        payload.withUnsafeBytes { bytes in
            // A connection that is closing takes no more frames, and needs none.
            try? connection.sender.sendWithoutWaiting(OutgoingFrame(opcode: opcode, payload: bytes))
        }
    }

    /// Begins the closing handshake, unless it has begun; messages are dropped from now on.
    func close(_ payload: ClosePayload, timeout: Duration? = nil) {
        wish = .end
        connection.beginClosing(payload, timeout: timeout)
    }

    func step() -> Step {
        if connection.closeDeadline?.isPast == true { connection.report(.deadlinePassed) }
        if let end = connection.end { return .ended(end) }
        isContended = !connection.receiver.turn.tryTake()
        if isContended {
            connection.sender.uncork()
            return .wait([])
        }
        defer {
            connection.receiver.publishCounts()
            connection.receiver.leaveQuietly()
        }
        let step = connection.receiveStep(wish)
        if case .wait(let interest) = step {
            awaited = interest
            connection.sender.uncork()
        }
        return step
    }
}
