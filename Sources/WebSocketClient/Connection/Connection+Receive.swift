import WebSocketProtocol

/// The result of a receiving step; see ``Connection/receiveStep(_:)``.
enum ReceiveStep {
    case message(Message)
    /// A frame of a message, if fragments are asked for.
    case fragment(Frame)
    /// A ping, answered already, or a pong.
    case control(Opcode, [UInt8])
    /// Something that the caller didn't ask for: take the next step.
    case nothing
    /// Nothing more, until the stream is ready for this.
    case wait(Interest)
    /// The connection has ended.
    case ended(WebSocketError)
}

/// What a caller wants to receive.
enum ReceiveWish {
    case messages, fragments
    /// Nothing but the end: messages are dropped.
    case end
}

// Attempts never wait, and they answer control frames. `waiting` turns one into a blocking call; the
// dispatcher and async calls wait in their own ways. All of this is for the thread that holds the
// receiving turn.
extension Connection {
    // MARK: Steps

    /// Receives as much as it can without waiting, and answers control frames. It makes at most one
    /// system call that reads, so that the caller can look at the clock between steps. In turn only.
    func receiveStep(_ wish: ReceiveWish) -> ReceiveStep {
        do throws(WebSocketError) {
            switch wish {
            case .messages:
                return switch try attemptEvent() {
                case .got(.control(let opcode, let payload)): .control(opcode, Array(payload))
                case .got(let event):
                    receiver.decoder.takeMessage(event).map { .message($0) } ?? .nothing
                case .again: .nothing
                case .wait(let interest): .wait(interest)
                }
            case .fragments:
                return switch try attemptFragment() {
                case .got(let frame) where frame.opcode.isControl:
                    .control(frame.opcode, frame.payload)
                case .got(let frame): .fragment(frame)
                case .again: .nothing
                case .wait(let interest): .wait(interest)
                }
            case .end:
                return switch try attemptControl() {
                case .got, .again: .nothing
                case .wait(let interest): .wait(interest)
                }
            }
        } catch {
            return .ended(error)
        }
    }

    // MARK: Attempts

    /// The next message or control frame; the latter has been answered.
    @inline(__always)
    func attemptEvent() throws(WebSocketError) -> Attempt<DecodedEvent> {
        try requireSameMode(.messages)
        let attempt = try attempt { () throws(ReceiveFailure) in try receiver.nextEvent() }
        if case .got(.control(let opcode, let payload)) = attempt { answer(opcode, payload) }
        return attempt
    }

    /// The next fragment, inflated, or control frame; the latter has been answered.
    func attemptFragment() throws(WebSocketError) -> Attempt<Frame> {
        try requireSameMode(.frames)
        let attempt = try attempt { () throws(ReceiveFailure) in
            let attempt = try receiver.nextFrame()
            guard case .got(let frame) = attempt, !frame.opcode.isControl else { return attempt }
            do throws(ProtocolViolation) {
                return .got(try receiver.decoder.fragment(frame))
            } catch {
                throw .violation(error)
            }
        }
        if case .got(let frame) = attempt, frame.opcode.isControl { answer(frame) }
        return attempt
    }

    /// The next part of a message or control frame; the latter has been answered.
    func attemptPart(
        into room: UnsafeMutableRawBufferPointer
    ) throws(WebSocketError) -> Attempt<DecodedPart> {
        try requireSameMode(.parts)
        let attempt = try attempt { () throws(ReceiveFailure) in try receiver.nextPart(into: room) }
        if case .got(.control(let opcode, let payload)) = attempt { answer(opcode, payload) }
        return attempt
    }

    /// The next frame; answering it is up to the caller.
    func attemptFrame() throws(WebSocketError) -> Attempt<Frame> {
        try requireSameMode(.frames)
        let attempt = try attempt { () throws(ReceiveFailure) in try receiver.nextFrame() }
        if case .got(let frame) = attempt, let payload = frame.closePayload {
            report(.closeTaken(payload))
        }
        return attempt
    }

    /// The next control frame, answered already; messages are dropped.
    func attemptControl() throws(WebSocketError) -> Attempt<DecodedEvent> {
        let attempt = try attempt { () throws(ReceiveFailure) in try receiver.nextControl() }
        if case .got(.control(let opcode, let payload)) = attempt { answer(opcode, payload) }
        return attempt
    }

    /// Hands the next message, or fragment if those are delivered, to `body` in place, and small ones
    /// that have arrived behind it; returns what `body` returns, `nil` for a control frame, answered
    /// already.
    func attemptLending(
        to body: (Opcode, UnsafeRawBufferPointer) -> Bool
    ) throws(WebSocketError) -> Attempt<Bool?> {
        if deliversFragments {
            switch try attemptFragment() {
            case .got(let frame) where frame.opcode.isControl: return .got(nil)
            case .got(let frame):
                let result = frame.payload.withUnsafeBytes { bytes in
                    receiver.lending { body(frame.opcode, bytes) }
                }
                return .got(result)
            case .again: return .again
            case .wait(let interest): return .wait(interest)
            }
        }
        switch try attemptEvent() {
        case .got(.message(let opcode, let bytes)):
            guard receiver.lending({ body(opcode, bytes) }) else { return .got(false) }
            // Small messages come in swarms.
            guard bytes.count <= FrameHeader.maximumShortPayload else { return .got(true) }
            return .got(try lendSmallMessages(to: body))
        case .got(.assembledMessage(let opcode)):
            // Taken out of the assembler meanwhile, as `body` may go on receiving.
            var bytes = receiver.decoder.assembler.takeBytes()
            defer { receiver.decoder.assembler.recycle(&bytes) }
            let result = bytes.withUnsafeBytes { bytes in
                receiver.lending { body(opcode, bytes) }
            }
            return .got(result)
        case .got(.control), .got(.needsMoreBytes): return .got(nil)
        case .again: return .again
        case .wait(let interest): return .wait(interest)
        }
    }

    /// Hands the small messages that have arrived to `body`, one after the other, for a caller that has
    /// just received one; false once `body` has returned false.
    ///
    /// Fast because between two messages it checks only the window and whether there may be more, not
    /// the clock.
    private func lendSmallMessages(
        to body: (Opcode, UnsafeRawBufferPointer) -> Bool
    ) throws(WebSocketError) -> Bool {
        do throws(ReceiveFailure) {
            return try receiver.lending { () throws(ReceiveFailure) in
                while awaitsFrames, let (opcode, bytes) = try receiver.nextSmallMessage() {
                    guard body(opcode, bytes) else { return false }
                }
                return true
            }
        } catch {
            reportFailure(error)
            if let end { throw end }
            return true
        }
    }

    /// Makes the attempt that suits what the connection awaits, and reports failures.
    @inline(__always)
    private func attempt<Value>(
        _ receive: () throws(ReceiveFailure) -> Attempt<Value>
    ) throws(WebSocketError) -> Attempt<Value> {
        do throws(ReceiveFailure) {
            if awaitsFrames { return try receive() }
            guard end == nil else { throw .transport(.aborted) }
            return switch try receiver.discard() {
            case .again: .again
            case .wait(let interest): .wait(interest)
            }
        } catch {
            reportFailure(error)
            if let end { throw end }
            return .again
        }
    }

    /// A message has to be received to its end in the mode that began it: another mode would miss its
    /// beginning.
    @inline(__always)
    private func requireSameMode(_ mode: ReceiveMode) throws(WebSocketError) {
        if receiver.mode != mode { try requireNoOtherMode() }
    }

    private func requireNoOtherMode() throws(WebSocketError) {
        guard let unfinished = receiver.unfinishedMode else { return }
        let advice =
            switch unfinished {
            case .frames: "A message has been taken frame by frame; go on with receiveFrame()."
            case .parts: "A message has been taken in part; go on with receive(into:)."
            case .messages: "A message has arrived in part; go on with receive()."
            }
        throw .invalidArgument(advice)
    }

    // MARK: Blocking calls

    /// The next message, or fragment if those are delivered.
    func nextMessage(_ deadline: inout LazyDeadline) throws(WebSocketError) -> Message {
        if deliversFragments {
            let frame = try nextFragment(&deadline, controlFrames: false)
            return receiver.decoder.assembler.messageOpcode == .text
                ? .text(frame.text) : .binary(frame.payload)
        }
        while true {
            let event = try waiting(&deadline) { () throws(WebSocketError) in try attemptEvent() }
            if let message = receiver.decoder.takeMessage(event) { return message }
            deadline.isStrict = true
        }
    }

    /// The next message or fragment as a frame; on request, control frames too.
    func nextDataFrame(
        _ deadline: inout LazyDeadline,
        controlFrames: Bool
    ) throws(WebSocketError) -> Frame {
        if deliversFragments {
            return try nextFragment(&deadline, controlFrames: controlFrames)
        }
        while true {
            // The payload of a control frame stays in place while the frame is answered.
            switch try waiting(&deadline, { () throws(WebSocketError) in try attemptEvent() }) {
            case .control(let opcode, let payload):
                if controlFrames, opcode != .close {
                    return Frame(opcode: opcode, payload: Array(payload))
                }
                deadline.isStrict = true
            case let event:
                if let frame = receiver.decoder.takeFrame(event) { return frame }
            }
        }
    }

    /// The next fragment; on request, control frames too.
    func nextFragment(
        _ deadline: inout LazyDeadline,
        controlFrames: Bool
    ) throws(WebSocketError) -> Frame {
        while true {
            let frame = try waiting(&deadline) { () throws(WebSocketError) in
                try attemptFragment()
            }
            guard frame.opcode.isControl else { return frame }
            if controlFrames, frame.opcode != .close { return frame }
            deadline.isStrict = true
        }
    }

    /// Hands messages, or fragments if those are delivered, to `body` in place; returns what `body`
    /// returns.
    func lendMessages(
        _ deadline: inout LazyDeadline,
        to body: (Opcode, UnsafeRawBufferPointer) -> Bool
    ) throws(WebSocketError) -> Bool {
        while true {
            let result = try waiting(&deadline) { () throws(WebSocketError) in
                try attemptLending(to: body)
            }
            if let result { return result }
            deadline.isStrict = true
        }
    }

    /// The next part of a message.
    func nextPart(
        into room: UnsafeMutableRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> MessagePart {
        while true {
            let part = try waiting(&deadline) { () throws(WebSocketError) in
                try attemptPart(into: room)
            }
            if case .part(let opcode, let count, let isLast) = part {
                return MessagePart(opcode: opcode, count: count, isLast: isLast)
            }
            deadline.isStrict = true
        }
    }

    /// The next frame, unanswered.
    func nextFrame(_ deadline: inout LazyDeadline) throws(WebSocketError) -> Frame {
        try waiting(&deadline) { () throws(WebSocketError) in try attemptFrame() }
    }

    /// Waits for the end of a connection that awaits nothing else.
    func awaitEnd(_ deadline: inout LazyDeadline) throws(WebSocketError) -> Never {
        while true {
            _ = try waiting(&deadline) { () throws(WebSocketError) in try attemptControl() }
        }
    }

    /// Whether a frame, or the connection's end, can be reported without waiting.
    var holdsFrame: Bool {
        guard receiver.turn.tryTake() else { return false }
        defer { receiver.leave() }
        guard awaitsFrames else { return end != nil }
        do throws(ReceiveFailure) {
            return try receiver.holdsFrame()
        } catch {
            reportFailure(error)
            return true
        }
    }

    // MARK: Reports

    private func answer(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) {
        switch opcode {
        case .ping: report(.ping, payload)
        case .close: report(.close(payload))
        default:
            traffic.pongArrived(payload)
            report(.pong)
        }
    }

    func answer(_ frame: Frame) {
        frame.payload.withUnsafeBytes { answer(frame.opcode, $0) }
    }

    private func reportFailure(_ failure: ReceiveFailure) {
        receiver.publishCounts()
        switch failure {
        case .violation(let violation): report(.violation(violation))
        case .transport(.aborted): report(.aborted)
        case .transport(let error): report(.lost(cause: error.description))
        case .endOfStream: report(.endOfStream)
        }
    }

    /// Joins a frame to its message; `nil` until the message is complete. For callers that read single
    /// frames.
    func join(_ frame: Frame) -> Frame? {
        do throws(ProtocolViolation) {
            if deliversFragments { return try receiver.decoder.fragment(frame) }
            guard try receiver.decoder.join(frame) else { return nil }
        } catch {
            report(.violation(error))
            return nil
        }
        return Frame(
            opcode: receiver.decoder.assembler.messageOpcode,
            payload: receiver.decoder.assembler.takeBytes()
        )
    }

    // MARK: Waiting

    /// Takes the receiving turn, runs `body`, and leaves the turn.
    func withReceivingTurn<Result>(
        _ deadline: inout LazyDeadline,
        _ body: (inout LazyDeadline) throws(WebSocketError) -> Result
    ) throws(WebSocketError) -> Result {
        switch receiver.enter(&deadline) {
        case .taken: break
        case .timedOut: throw .timedOut(.receiving)
        case .cancelled: throw end ?? .aborted
        case .alreadyHeld:
            throw .invalidArgument("This thread is receiving: the call would wait for itself.")
        }
        defer { receiver.leave() }
        if let end { throw end }
        return try body(&deadline)
    }

    /// Repeats an attempt until it succeeds, and waits in between; this is where a call blocks.
    ///
    /// A call goes on beyond its deadline as long as its message is there, but not forever: see
    /// `LazyDeadline.isStrict`. Once the connection only awaits its end, the closing handshake's
    /// deadline applies.
    @inline(__always)
    func waiting<Value>(
        _ deadline: inout LazyDeadline,
        _ attempt: () throws(WebSocketError) -> Attempt<Value>
    ) throws(WebSocketError) -> Value {
        while true {
            let interest: Interest
            switch try attempt() {
            case .got(let value): return value
            case .again: interest = []
            case .wait(let awaited): interest = awaited
            }
            if awaitsFrames {
                // With a peer that never stops sending, no call would ever wait, or not for long.
                if deadline.isOverAfterAttempt() { throw .timedOut(.receiving) }
                if interest.isEmpty { continue }
                guard try wait(for: interest, &deadline) else { throw .timedOut(.receiving) }
            } else {
                var limit = LazyDeadline(until: closeDeadline ?? .never)
                var hasTime = !limit.isOverAfterAttempt()
                if hasTime, !interest.isEmpty { hasTime = try wait(for: interest, &limit) }
                if !hasTime { report(.deadlinePassed) }
            }
        }
    }

    /// Waits for the stream; false if time ran out first.
    private func wait(
        for interest: Interest,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> Bool {
        do throws(ReceiveFailure) {
            try receiver.wait(for: interest, &deadline)
            return true
        } catch {
            if case .transport(.timedOut) = error { return false }
            reportFailure(error)
            if let end { throw end }
            return true
        }
    }
}
