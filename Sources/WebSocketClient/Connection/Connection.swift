import Synchronization
import WebSocketProtocol

/// An open connection: the two halves, and the life that joins them.
///
/// ``ConnectionLife`` decides what a frame, a close, a violation or a loss means; this class reports
/// events to it and sends its answers. It lives as long as somebody uses it: the descriptor is closed
/// when the last call has left.
final class Connection: Sendable {
    private struct State: ~Copyable {
        var life: ConnectionLife
        /// The error that every later call throws.
        var end: WebSocketError?
        /// How long a closing handshake may take, and when that time is over. The deadline never moves
        /// back.
        var closeTimeout: Duration
        var closeDeadline: Deadline?
    }

    let stream: any ByteStream
    /// Distinguishes the connections of this process.
    let number = Connection.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
    private static let lastNumber = Atomic<UInt64>(0)
    let sender: Sender
    let receiver: Receiver
    var traffic: Traffic { sender.traffic }
    let deliversFragments: Bool
    /// How messages are compressed, if compression was agreed.
    let deflateChoice: DeflateChoice?
    private let state: Locked<State>
    /// What ``life`` awaits, readable without taking the lock for every message.
    private let awaited = Atomic<UInt8>(ConnectionLife.Awaited.frames.rawValue)
    /// Whether the closing handshake has a deadline.
    private let hasCloseDeadline = Atomic<Bool>(false)
    /// Whether nothing more can be sent, although something may still be there to receive.
    private let cannotSend = Atomic<Bool>(false)
    /// Lets tasks wait; made when the first one has to.
    let tasks = LazyReference<ConnectionTasks>()
    /// How many calls of tasks didn't have to wait.
    let unawaitedCalls = Atomic<UInt32>(0)

    init(_ opened: OpenedStream, role: Role, options: ConnectOptions) {
        stream = opened.stream
        deliversFragments = options.deliversFragments
        state = Locked(
            State(life: ConnectionLife(role: role), closeTimeout: options.timeouts.close)
        )
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
            },
            corking: options.corking,
            maximumControlDelay: options.maximumControlDelay,
            log: opened.log
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

    // MARK: Its life

    /// Why nothing more can be done; `nil` as long as something can.
    @inline(__always)
    var end: WebSocketError? { hasEnded ? whyEnded : nil }

    private var whyEnded: WebSocketError? {
        let end = state.withLock { $0.end }
        guard case .connectionClosed(var facts)? = end else { return end }
        facts.unsentMessages = sender.countUnsentMessages()
        return .connectionClosed(facts)
    }

    /// Whether there may be anything but the end of the stream to receive.
    var awaitsFrames: Bool {
        awaited.load(ordering: .acquiring) == ConnectionLife.Awaited.frames.rawValue
    }

    private var hasEnded: Bool {
        awaited.load(ordering: .acquiring) == ConnectionLife.Awaited.nothing.rawValue
    }

    /// Lets every thread see what has been received, unless another thread is receiving.
    func publishCounts() {
        if receiver.turn.tryTake() {
            receiver.publishCounts()
            receiver.leave()
        } else if receiver.turn.isHeldByCurrentThread, receiver.isLending {
            receiver.publishCounts()
        }
    }

    /// Whether it can be used, as far as is known.
    var isOpen: Bool { !hasEnded && !cannotSend.load(ordering: .relaxed) }

    /// The peer's close frame, once it has come.
    var closeReceived: ClosePayload? { state.withLock { $0.life.closeReceived } }

    /// The deadline of the closing handshake; `nil` before it begins.
    var closeDeadline: Deadline? {
        hasCloseDeadline.load(ordering: .acquiring) ? state.withLock { $0.closeDeadline } : nil
    }

    /// How long a closing handshake that begins from now on may take.
    func setCloseTimeout(_ timeout: Duration) {
        state.withLock { $0.closeTimeout = timeout }
    }

    /// Ends the connection at once, from any thread; calls in flight throw ``WebSocketError/aborted``.
    func abort() { finish(.aborted) }

    /// Gives up the connection for a reason that its life doesn't know; the first reason stays.
    func finish(_ error: WebSocketError) {
        _ = handle(.aborted, insteadOfAborted: error)
        stream.abort()
    }

    /// Reports an event, and sends the answer without waiting; `payload` is the ping's, which the pong
    /// repeats.
    func report(
        _ event: ConnectionLife.Event,
        _ payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        switch handle(event) {
        case .nothing: break
        case .pong:
            // A peer that doesn't read its pongs must not stop this end from reading. If this fails,
            // nothing can be sent any more, which the next sending call reports.
            try? sender.sendWithoutWaiting(OutgoingFrame(opcode: .pong, payload: payload))
        case .close(let payload):
            do throws(SendFailure) {
                try sender.sendCloseWithoutWaiting(payload) { report(.closeSent(payload)) }
            } catch {
                report(.lost(cause: "the close frame could not be made"))
            }
        }
    }

    private func handle(
        _ event: ConnectionLife.Event,
        insteadOfAborted error: WebSocketError = .aborted
    ) -> ConnectionLife.Answer {
        let (answer, hasJustEnded) = state.withLock { state in
            let hadEnded = state.end != nil
            let answer = state.life.handle(event)
            if let ending = state.life.ending, !hadEnded {
                state.end = WebSocketError(ending, insteadOfAborted: error)
            }
            if state.life.awaited == .endOfStream, state.closeDeadline == nil {
                state.closeDeadline = .after(state.closeTimeout)
                hasCloseDeadline.store(true, ordering: .releasing)
            }
            awaited.store(state.life.awaited.rawValue, ordering: .releasing)
            return (answer, !hadEnded && state.end != nil)
        }
        if hasJustEnded {
            if case .aborted = event {} else { stream.finishWriting() }
            stream.abort()
            sender.cancel()
            receiver.turn.cancel()
            receiver.callAttendant()
            tasks.load()?.readiness.knock()
            if Tracing.isEnabled, let end { sender.log.ended(end) }
        }
        return answer
    }

    private func connectionEnd(cause: String? = nil) -> ConnectionEnd {
        var end = state.withLock { $0.life.end(cause: cause) }
        end.unsentMessages = sender.unsentMessages
        return end
    }

    // MARK: Sending

    func send(_ frame: OutgoingFrame, timeout: Duration?) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.send(frame, timeout: timeout)
        } catch {
            throw sendError(error)
        }
    }

    /// Sends as much of a control frame as the stream takes at once; whoever waits writes the rest.
    func sendWithoutWaiting(_ frame: OutgoingFrame) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.sendWithoutWaiting(frame)
        } catch {
            throw sendError(error)
        }
    }

    func send(consuming bytes: consuming [UInt8], timeout: Duration?) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.send(consuming: consume bytes, timeout: timeout)
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

    /// Sends a close frame, unless one has been sent.
    func sendClose(
        _ payload: ClosePayload,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) {
        do throws(SendFailure) {
            try sender.sendClose(payload, &deadline) { report(.closeSent(payload)) }
        } catch {
            throw sendError(error)
        }
    }

    /// A time-out leaves the connection usable; any other failure ends its sending half. What the peer
    /// has sent, perhaps a close frame, can still be received.
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

    /// Notes that the system has given up the connection, as a call that doesn't write has found out.
    func lostWhileSending(cause: String) -> WebSocketError {
        if let end { return end }
        cannotSend.store(true, ordering: .relaxed)
        return .connectionClosed(connectionEnd(cause: cause))
    }

    // MARK: Closing

    /// Begins the closing handshake, unless it has begun; returns its deadline. Whoever receives has to
    /// go on receiving.
    @discardableResult
    func beginClosing(_ payload: ClosePayload, timeout: Duration?) -> Deadline {
        let deadline = state.withLock { state in
            let deadline = Deadline.after(timeout ?? state.closeTimeout)
                .earlier(state.closeDeadline ?? .never)
            state.closeDeadline = deadline
            hasCloseDeadline.store(true, ordering: .releasing)
            return deadline
        }
        report(.closeRequested(payload))
        return deadline
    }

    /// Performs the closing handshake: at most `timeout` in all. Returns the peer's close frame.
    func close(_ payload: ClosePayload, timeout: Duration?) -> ClosePayload? {
        guard end == nil else { return closeReceived }
        let deadline = beginClosing(payload, timeout: timeout)
        switch receiver.turn.take(until: deadline) {
        case .taken:
            receiveEnd(by: deadline)
            receiver.leave()
        case .alreadyHeld where receiver.isLending:
            // Called from inside a loop over messages: go on in the loop's turn, and keep the message
            // that it looks at.
            receiver.keepLentMessage()
            receiveEnd(by: deadline)
        case .alreadyHeld, .timedOut, .cancelled:
            report(.deadlinePassed)
        }
        return closeReceived
    }

    /// Receives the peer's close frame and the end of the stream, and drops all else.
    private func receiveEnd(by deadline: Deadline) {
        var limit = LazyDeadline(until: deadline)
        do throws(WebSocketError) {
            while true {
                _ = try waiting(&limit) { () throws(WebSocketError) in try attemptControl() }
            }
        } catch {
            // Time is up, unless the connection has ended.
            report(.deadlinePassed)
        }
    }
}

extension WebSocketError {
    fileprivate init(_ ending: ConnectionLife.Ending, insteadOfAborted error: WebSocketError) {
        switch ending {
        case .closed(let end): self = .connectionClosed(end)
        case .violation(let violation): self = WebSocketError(violation)
        case .aborted: self = error
        }
    }
}
