import WebSocketProtocol

extension WebSocketApp {
    /// Sends a message; see `send(_:)`.
    ///
    /// - Parameter message: The message.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    @discardableResult
    public func send(_ message: Message) throws -> Int {
        switch message {
        case .text(let text): try send(text)
        case .binary(let bytes): try send(binary: bytes)
        }
    }

    /// Sends a prepared message; see `send(_:)`.
    ///
    /// - Parameter message: The message.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    public func send(_ message: PreparedMessage) throws {
        guard let queue = queueForSending else { return try connectedSocket().send(message) }
        try queue.append(.prepared(message), timeout: sendTimeout)
    }

    /// Sends one message in fragments (RFC 6455 §5.4); see ``WebSocket/send(fragments:as:)``.
    ///
    /// With ``replay``, all of them are collected first, and the message goes out when it is whole.
    ///
    /// - Parameters:
    ///   - fragments: The parts of the message, in order.
    ///   - opcode: Text or binary; text isn't checked.
    /// - Throws: ``WebSocketError``: `connectionClosed` if there is no open connection, `timedOut`,
    ///   `aborted`.
    public func send(fragments: some Sequence<[UInt8]>, as opcode: Opcode = .binary) throws {
        guard let queue = queueForSending else {
            return try connectedSocket().send(fragments: fragments, as: opcode)
        }
        try queue.append(.fragments(opcode, Array(fragments)), timeout: sendTimeout)
    }

    // MARK: Acknowledgement

    /// Waits until pongs have acknowledged everything that the app has accepted so far, over as many
    /// connections as it takes; returns at once without ``replay``.
    ///
    /// Call it before ``close(timeout:)`` if you must know that everything has arrived. Blocks the
    /// calling thread for at most `timeout`.
    ///
    /// - Parameter timeout: The limit; `nil` waits without end.
    /// - Throws: ``WebSocketError``: `timedOut` (the messages stay kept), `connectionClosed` if the run
    ///   ends first, `invalidArgument` in a callback, as acknowledgements are received on that thread.
    @available(*, noasync)
    public func waitUntilAcknowledged(timeout: Duration? = nil) throws {
        try replayQueue?.waitUntilAcknowledged(timeout: timeout)
    }

    /// Counts of the kept messages, in the present run or the last one; all 0 without ``replay``. For
    /// any thread.
    public var replayStatus: ReplayStatus { replayQueue?.currentStatus ?? ReplayStatus() }

    /// The messages that have been accepted and not acknowledged, oldest first; after the end of a run,
    /// those that may not have arrived. The next run begins with none. For any thread.
    public var unacknowledgedMessages: [Message] { replayQueue?.messages ?? [] }

    // MARK: Inside

    private var replayQueue: ReplayQueue? { state.withLock { $0.replayQueue } }

    /// Where the calling thread's messages go, if the run keeps them.
    var queueForSending: ReplayQueue? {
        let queue = state.withLock { state -> ReplayQueue? in
            switch state.run?.phase {
            case .waiting, .connecting, .open: state.replayQueue
            case .closeRequested, .closing, .ended, nil: nil
            }
        }
        guard let queue, !queue.isOpening else { return nil }
        return queue
    }

    var sendTimeout: Duration? { state.withLock { $0.options.timeouts.send } }
}

extension ReplayQueue {
    func send(_ opcode: Opcode, _ bytes: [UInt8], timeout: Duration?) throws -> Int {
        try append(.payload(opcode, bytes), timeout: timeout)
        return FrameHeader.frameLength(payload: bytes.count, isMasked: true)
    }
}
