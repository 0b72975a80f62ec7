import Synchronization
import WebSocketProtocol

/// An open connection: the two halves, and the closing handshake that joins them.
///
/// It lives as long as somebody uses it: the descriptor is closed when the last call has left.
final class Connection: Sendable {
    struct State {
        var closeSent: ClosePayload?
        var closeReceived: ClosePayload?
        /// What every later call throws.
        var end: WebSocketError?
    }

    let stream: any ByteStream
    let sender: Sender
    let receiver: Receiver
    let timeouts: Timeouts
    let deliversFragments: Bool
    /// How messages are compressed, if that was agreed.
    let deflateChoice: DeflateChoice?
    let state = Locked(State())
    /// Whether there is an `end`, for those who would not take the lock for every message.
    private let hasEnded = Atomic<Bool>(false)
    /// Whether nothing more can be sent, although something may still be there to receive.
    private let cannotSend = Atomic<Bool>(false)

    init(_ opened: OpenedStream, role: Role, options: ConnectOptions) {
        stream = opened.stream
        timeouts = options.timeouts
        deliversFragments = options.deliversFragments
        let deflateOptions = options.compression ?? DeflateOptions()
        let deflate = opened.negotiated.deflate
        deflateChoice = deflate.map {
            DeflateChoice(windowBits: $0.clientMaxWindowBits, options: deflateOptions)
        }
        sender = Sender(
            stream: stream,
            role: role,
            makeMaskingKey: options.maskingKey,
            deflater: deflate?.deflater(for: role, options: deflateOptions),
            workers: deflate.flatMap { parameters in
                DeflateWorkers(parameters, options: deflateOptions)
            }
        )
        receiver = Receiver(
            stream: stream,
            sender: sender,
            decoder: MessageDecoder(
                role: role,
                limits: options.limits,
                validatesUTF8: options.validatesUTF8,
                inflater: deflate?.inflater(
                    for: role,
                    options: deflateOptions,
                    limits: options.limits
                )
            )
        )
        receiver.prepend(opened.rest)
    }

    // MARK: The end

    /// Why nothing more can be done, once that is so.
    var end: WebSocketError? {
        hasEnded.load(ordering: .acquiring) ? state.withLock { $0.end } : nil
    }

    /// Whether it can be used, as far as has been seen.
    var isOpen: Bool {
        !hasEnded.load(ordering: .acquiring) && !cannotSend.load(ordering: .relaxed)
    }

    /// The peer's close frame, once it came.
    var closeReceived: ClosePayload? { state.withLock { $0.closeReceived } }

    /// Ends the connection at once, from any thread; calls in flight throw ``WebSocketError/aborted``.
    func abort() {
        finish(.aborted)
        stream.abort()
        sender.cancel()
        receiver.turn.cancel()
    }

    /// Remembers the first reason for the end.
    @discardableResult
    func finish(_ error: WebSocketError) -> WebSocketError {
        state.withLock { state in
            if let end = state.end { return end }
            state.end = error
            hasEnded.store(true, ordering: .releasing)
            return error
        }
    }

    func connectionEnd(cause: String? = nil) -> ConnectionEnd {
        state.withLock {
            ConnectionEnd(received: $0.closeReceived, sent: $0.closeSent, cause: cause)
        }
    }

    // MARK: Sending

    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.send(frame, timeout: timeout)
        } catch {
            throw sendError(error)
        }
    }

    func send(consuming bytes: consuming [UInt8], timeout: Duration?) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.send(consuming: bytes, timeout: timeout)
        } catch {
            throw sendError(error)
        }
    }

    func writer(timeout: Duration?, isMessage: Bool) throws(WebSocketError) -> FrameWriter {
        do throws(SendFailure) {
            return try sender.writer(timeout: timeout, isMessage: isMessage)
        } catch {
            throw sendError(error)
        }
    }

    /// Keeps other messages out from between the fragments that a subclass sends one by one.
    func reserveMessage(timeout: Duration?) throws(WebSocketError) -> MessageReservation {
        do throws(SendFailure) {
            return try sender.reserveMessage(timeout: timeout)
        } catch {
            throw sendError(error)
        }
    }

    /// A time-out leaves the connection usable; anything else ends its sending half. What the peer
    /// sent before, a close frame perhaps, can still be received.
    func sendError(_ failure: SendFailure) -> WebSocketError {
        if let end { return end }
        switch failure {
        case .closing: return .connectionClosed(connectionEnd())
        case .reentrant:
            return .invalidArgument("This thread is sending: the call would wait for itself.")
        case .invalidUTF8(let offset): return .invalidPayload(offset: offset)
        case .compression:
            return .system(call: "deflate", number: 0, description: "out of memory")
        case .transport(.timedOut, let isAccepted):
            return .timedOut(.sending(isAccepted: isAccepted))
        case .transport(.aborted, _): return .aborted
        case .transport(let error, _):
            cannotSend.store(true, ordering: .relaxed)
            return .connectionClosed(connectionEnd(cause: error.description))
        }
    }

    // MARK: Receiving

    /// Takes the receiving turn, runs `body`, and returns the turn.
    func withReceivingTurn<Result>(
        _ deadline: inout LazyDeadline,
        _ body: (inout LazyDeadline) throws(WebSocketError) -> Result
    ) throws(WebSocketError) -> Result {
        if !receiver.turn.tryTake() {
            switch receiver.turn.take(until: deadline.value) {
            case .taken: break
            case .timedOut: throw .timedOut(.receiving)
            case .cancelled: throw end ?? .aborted
            case .alreadyHeld:
                throw .invalidArgument("This thread is receiving: the call would wait for itself.")
            }
        }
        defer { receiver.leave() }
        if let end { throw end }
        return try body(&deadline)
    }

    /// The next message, or control frame after it has been answered. In turn only.
    func nextEvent(_ deadline: inout LazyDeadline) throws(WebSocketError) -> DecodedEvent {
        try refuseCutting(by: .messages)
        do throws(ReceiveFailure) {
            return try receiver.nextEvent(&deadline)
        } catch {
            throw receiveError(error)
        }
    }

    /// The next frame, unanswered. In turn only.
    func nextFrame(_ deadline: inout LazyDeadline) throws(WebSocketError) -> Frame {
        try refuseCutting(by: .frames)
        do throws(ReceiveFailure) {
            let frame = try receiver.nextFrame(&deadline)
            if let payload = frame.closePayload { state.withLock { $0.closeReceived = payload } }
            return frame
        } catch {
            throw receiveError(error)
        }
    }

    /// The next part of a message; control frames are answered. In turn only.
    func nextPart(
        into room: UnsafeMutableRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> MessagePart {
        try refuseCutting(by: .parts)
        while true {
            let part: DecodedPart
            do throws(ReceiveFailure) {
                part = try receiver.nextPart(into: room, &deadline)
            } catch {
                throw receiveError(error)
            }
            switch part {
            case .part(let opcode, let count, let isLast):
                return MessagePart(opcode: opcode, count: count, isLast: isLast)
            case .control(let opcode, let payload): try answer(opcode, payload, &deadline)
            case .needsMoreBytes: continue
            }
        }
    }

    /// What one way of receiving has begun, it has to finish: the others would miss its beginning.
    private func refuseCutting(by way: Receiver.Way) throws(WebSocketError) {
        guard receiver.way != way, let unfinished = receiver.unfinishedWay else { return }
        let advice =
            switch unfinished {
            case .frames: "A message has been taken frame by frame; go on with receiveFrame()."
            case .parts: "A message has been taken in part; go on with receive(into:)."
            case .messages: "A message has arrived in part; go on with receive()."
            }
        throw .invalidArgument(advice)
    }

    /// Answers a ping, and a close frame, which ends the connection (RFC 6455 §5.5). In turn only.
    func answer(
        _ opcode: Opcode,
        _ payload: UnsafeRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) {
        deadline.isStrict = true
        switch opcode {
        case .ping:
            // Never waits: a peer that doesn't read its pongs must not stop this end from reading.
            try? sender.sendWithoutWaiting(OutgoingFrame(opcode: .pong, payload: payload))
        case .close:
            var closing = LazyDeadline(strict: timeouts.close)
            try answerClose(payload, &closing)
        default:
            break
        }
    }

    private func answerClose(
        _ payload: UnsafeRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) {
        let received: ClosePayload
        do throws(ProtocolViolation) {
            received = try ClosePayload(decoding: payload)
        } catch {
            throw fail(error, &deadline)
        }
        state.withLock { $0.closeReceived = received }
        // RFC 6455 §5.5.1: "the endpoint typically echos the status code it received".
        tellClose(ClosePayload(code: received.code), &deadline)
        awaitEnd(&deadline)
        throw finish(.connectionClosed(connectionEnd()))
    }

    /// Fails the connection: tells the peer which rule it broke, and ends (RFC 6455 §7.1.7).
    ///
    /// In turn only.
    func fail(_ violation: ProtocolViolation) -> WebSocketError {
        var deadline = LazyDeadline(strict: timeouts.close)
        return fail(violation, &deadline)
    }

    private func fail(
        _ violation: ProtocolViolation,
        _ deadline: inout LazyDeadline
    ) -> WebSocketError {
        tellClose(ClosePayload(code: violation.closeCode), &deadline)
        awaitEnd(&deadline)
        return finish(WebSocketError(violation))
    }

    func receiveError(_ failure: ReceiveFailure) -> WebSocketError {
        switch failure {
        case .violation(let violation):
            return fail(violation)
        case .transport(.timedOut):
            return .timedOut(.receiving)
        case .transport(.aborted):
            return finish(.aborted)
        case .transport(let error):
            return finish(.connectionClosed(connectionEnd(cause: error.description)))
        case .endOfStream:
            let cause = "the peer ended it without a close frame"
            return finish(.connectionClosed(connectionEnd(cause: cause)))
        }
    }

    // MARK: Closing

    /// Sends a close frame, unless one has been sent.
    func sendClose(
        _ payload: ClosePayload,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.sendClose(payload, &deadline) {
                state.withLock { $0.closeSent = payload }
            }
        } catch {
            throw sendError(error)
        }
    }

    /// The same at the end, when a failure changes nothing any more.
    private func tellClose(_ payload: ClosePayload, _ deadline: inout LazyDeadline) {
        try? sendClose(payload, &deadline)
    }

    /// RFC 6455 §7.1.1: the server closes the TCP connection first; the client waits for that, but
    /// not for ever.
    private func awaitEnd(_ deadline: inout LazyDeadline) {
        if !receiver.discardUntilEnd(&deadline) { stream.finishWriting() }
    }

    /// Performs the closing handshake: at most `timeout` in all. Returns the peer's close frame.
    func close(_ payload: ClosePayload, timeout: Duration) -> ClosePayload? {
        if end != nil { return closeReceived }
        var deadline = LazyDeadline(strict: timeout)
        tellClose(payload, &deadline)
        do throws(WebSocketError) {
            try withReceivingTurn(&deadline) { (deadline) throws(WebSocketError) in
                try awaitClose(&deadline)
            }
        } catch {
            // A reader in another thread has met the end, or this one has, or time is up.
            finish(
                error.isEnd ? error : .connectionClosed(connectionEnd(cause: "closing timed out"))
            )
        }
        stream.finishWriting()
        stream.abort()
        sender.cancel()
        receiver.turn.cancel()
        return closeReceived
    }

    /// Drops what arrives up to the peer's close frame, whichever way it was being received.
    private func awaitClose(_ deadline: inout LazyDeadline) throws(WebSocketError) {
        // Who takes single frames may have got it before.
        if closeReceived != nil {
            awaitEnd(&deadline)
            throw finish(.connectionClosed(connectionEnd()))
        }
        while true {
            switch receiver.unfinishedWay {
            case .frames:
                try answer(nextFrame(&deadline), &deadline)
            case .parts:
                try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) {
                    (room) throws(WebSocketError) in
                    _ = try nextPart(into: room, &deadline)
                }
            case .messages, nil:
                switch try nextEvent(&deadline) {
                case .control(.close, let payload): try answerClose(payload, &deadline)
                case .assembledMessage: receiver.decoder.assembler.discard()
                default: break
                }
            }
        }
    }
}

extension WebSocketError {
    /// Whether the connection can't be used after it.
    fileprivate var isEnd: Bool {
        switch self {
        case .timedOut, .invalidArgument: false
        default: true
        }
    }
}
