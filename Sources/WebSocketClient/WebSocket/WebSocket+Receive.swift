import WebSocketProtocol

extension WebSocket {
    /// Hands each message to `body` in place, without copying it, until `body` returns false.
    ///
    /// The fastest way to receive: a message that arrives in one piece needs no allocation. The span is
    /// valid only inside `body`; text has been checked. Blocks like `receive()` for each message, and
    /// keeps other threads from receiving until it returns. With ``ConnectOptions/deliversFragments``,
    /// `body` gets fragments, of which all but the first have the opcode `continuation`.
    ///
    /// `body` may send, and it may close or abort the connection, which ends the loop. It can't
    /// receive: such a call would wait for this one, so it throws `invalidArgument`.
    ///
    /// - Parameter body: Gets the opcode, text or binary, and the payload; false ends the loop.
    /// - Throws: As `receive()`, and what `body` throws.
    @available(*, noasync)
    public func forEachMessage(_ body: (Opcode, RawSpan) throws -> Bool) throws {
        if isSubclass {
            while true {
                let frame = try receiveDataFrame()
                guard try body(frame.opcode, frame.payload.span.bytes) else { return }
            }
        }
        // Errors of `body` are the caller's own, and don't affect the connection.
        var failure: (any Error)?
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
            try connection.withReceivingTurn(&deadline) { (deadline) throws(WebSocketError) in
                func wantsMore(_ opcode: Opcode, _ bytes: UnsafeRawBufferPointer) -> Bool {
                    do {
                        return try body(opcode, RawSpan(_unsafeBytes: bytes))
                    } catch {
                        failure = error
                        return false
                    }
                }
                while try connection.lendMessages(&deadline, to: wantsMore) {
                    deadline = LazyDeadline(timeouts.receive)
                }
            }
        }
        if let failure { throw failure }
    }

    // MARK: Inside

    func receiveMessage() throws -> Message {
        if isSubclass { return Message(try receiveDataFrame()) }
        return try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.nextMessage(&deadline)
            }
        }
    }

    func receiveOneFrame() throws -> Frame {
        try withConnection { connection, timeouts in
            // Inside a call that joins frames, that call's limit applies.
            var deadline =
                joiningDeadline.map { LazyDeadline(until: $0, isStrict: false) }
                ?? LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.nextFrame(&deadline)
            }
        }
    }

    func receiveJoined(controlFrames: Bool) throws -> Frame {
        if isSubclass { return try joinFrames(controlFrames: controlFrames) }
        return try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.nextDataFrame(&deadline, controlFrames: controlFrames)
            }
        }
    }

    /// The slow path, on which a subclass sees every frame. One limit applies to all of it.
    private func joinFrames(controlFrames: Bool) throws -> Frame {
        let deadline = Deadline(timeout)
        // Frame by frame, two threads would take each other's fragments.
        let joining = joining
        switch joining.turn.take(until: deadline) {
        case .taken: break
        case .alreadyHeld:
            throw WebSocketError.invalidArgument(
                "This thread is receiving: the call would wait for itself."
            )
        case .timedOut, .cancelled: throw WebSocketError.timedOut(.receiving)
        }
        defer { joining.turn.leave() }
        joining.deadline.value = deadline
        repeat {
            let frame = try receiveFrame()
            switch frame.opcode {
            case .ping:
                // After a close frame, for example, a ping can't be answered, and needn't be.
                try? pong(frame.payload)
                if controlFrames { return frame }
            case .pong:
                if controlFrames { return frame }
            case .close, .text, .binary, .continuation:
                if let message = try take(frame, until: deadline) { return message }
            }
        } while !deadline.isPast
        throw WebSocketError.timedOut(.receiving)
    }

    /// Joins a frame to its message, or answers a close frame.
    private func take(_ frame: Frame, until deadline: Deadline) throws -> Frame? {
        try withConnection { connection, _ in
            var deadline = LazyDeadline(until: deadline)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                if frame.opcode != .close, let message = connection.join(frame) { return message }
                if frame.opcode == .close { connection.answer(frame) }
                // After a close frame, or a fragment that broke a rule, only the end is left to await.
                if !connection.awaitsFrames { try connection.awaitEnd(&deadline) }
                return nil
            }
        }
    }
}

extension Message {
    fileprivate init(_ frame: Frame) {
        self = frame.opcode == .text ? .text(frame.text) : .binary(frame.payload)
    }
}

/// The turn to receive a message frame by frame, and the limit of the call that has it.
final class FrameJoining: Sendable {
    let turn = Turn()
    let deadline = OwnedState(Deadline.never)

    var deadlineOfThisThread: Deadline? { turn.isHeldByCurrentThread ? deadline.value : nil }
}
