import WebSocketProtocol

extension WebSocket {
    /// Hands each message to `body` where it lies, without copying it, until `body` returns false.
    ///
    /// The fastest way to receive: no allocation for a message that arrives in one piece. The span is
    /// valid inside `body` alone; text has been checked. Blocks as ``receive()`` does for each
    /// message, and keeps other threads from receiving until it returns.
    ///
    /// - Parameter body: Gets the opcode, text or binary, and the payload; false ends the loop.
    /// - Throws: As ``receive()``, and what `body` throws.
    public func forEachMessage(_ body: (Opcode, RawSpan) throws -> Bool) throws {
        if isSubclass {
            while true {
                let frame = try receiveDataFrame()
                guard try body(frame.opcode, frame.payload.span.bytes) else { return }
            }
        }
        // What `body` throws is the caller's own: it passes the connection by.
        var failure: (any Error)?
        func goesOn(_ opcode: Opcode, _ bytes: UnsafeRawBufferPointer) -> Bool {
            do {
                return try body(opcode, RawSpan(_unsafeBytes: bytes))
            } catch {
                failure = error
                return false
            }
        }
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
            try connection.withReceivingTurn(&deadline) { (deadline) throws(WebSocketError) in
                while true {
                    let wantsMore: Bool
                    switch try connection.nextEvent(&deadline) {
                    case .message(let opcode, let bytes):
                        wantsMore = goesOn(opcode, bytes)
                    case .assembledMessage(let opcode):
                        wantsMore = connection.receiver.decoder.assembler.withBytes {
                            goesOn(opcode, $0)
                        }
                    case .control(let opcode, let payload):
                        try connection.answer(opcode, payload, &deadline)
                        continue
                    case .needsMoreBytes:
                        continue
                    }
                    guard wantsMore else { return }
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
                try connection.deliversFragments
                    ? Message(connection.nextJoined(&deadline, controlFrames: false))
                    : connection.nextMessage(&deadline)
            }
        }
    }

    func receiveOneFrame() throws -> Frame {
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
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
                try connection.nextJoined(&deadline, controlFrames: controlFrames)
            }
        }
    }

    /// The slow road, on which a subclass sees every frame.
    private func joinFrames(controlFrames: Bool) throws -> Frame {
        var deadline = LazyDeadline(timeout)
        // Frame by frame, two threads would get at each other's fragments.
        guard joining.lock(until: deadline.value) else { throw WebSocketError.timedOut(.receiving) }
        defer { joining.unlock() }
        while !deadline.isOver {
            let frame = try receiveFrame()
            deadline.isStrict = true
            switch frame.opcode {
            case .ping:
                // After a close frame, for example, it can't be answered, and needn't be.
                try? pong(frame.payload)
                if controlFrames { return frame }
            case .pong:
                if controlFrames { return frame }
            case .close, .text, .binary, .continuation:
                if let message = try take(frame) { return message }
            }
        }
        throw WebSocketError.timedOut(.receiving)
    }

    /// Joins a frame to its message, or answers a close frame.
    private func take(_ frame: Frame) throws -> Frame? {
        try withConnection { connection, timeouts in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                guard frame.opcode != .close else {
                    try connection.answer(frame, &deadline)
                    return nil
                }
                return try connection.join(frame)
            }
        }
    }
}

extension Message {
    fileprivate init(_ frame: Frame) {
        self = frame.opcode == .text ? .text(frame.text) : .binary(frame.payload)
    }
}

extension Connection {
    /// The next message, copied or moved out of the buffers; control frames are answered.
    fileprivate func nextMessage(
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> Message {
        while true {
            switch try nextEvent(&deadline) {
            case .message(.text, let bytes):
                return .text(receiver.decoder.assembler.makeText(bytes))
            case .message(_, let bytes):
                return .binary(Array(bytes))
            case .assembledMessage(.text):
                return .text(receiver.decoder.assembler.takeText())
            case .assembledMessage:
                return .binary(receiver.decoder.assembler.takeBytes())
            case .control(let opcode, let payload):
                try answer(opcode, payload, &deadline)
            case .needsMoreBytes:
                continue
            }
        }
    }

    /// The next message or fragment as a frame; control frames have been answered.
    fileprivate func nextJoined(
        _ deadline: inout LazyDeadline,
        controlFrames: Bool
    ) throws(WebSocketError) -> Frame {
        while true {
            let frame = try deliversFragments ? nextFragment(&deadline) : nextWhole(&deadline)
            if let frame, controlFrames || !frame.opcode.isControl { return frame }
        }
    }

    /// The next message or control frame, which has been answered; `nil` for nothing yet.
    private func nextWhole(
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> Frame? {
        switch try nextEvent(&deadline) {
        case .message(let opcode, let bytes):
            return Frame(opcode: opcode, payload: Array(bytes))
        case .assembledMessage(let opcode):
            return Frame(opcode: opcode, payload: receiver.decoder.assembler.takeBytes())
        case .control(let opcode, let bytes):
            let frame = Frame(opcode: opcode, payload: Array(bytes))
            try answer(frame, &deadline)
            return frame
        case .needsMoreBytes:
            return nil
        }
    }

    /// The next fragment or control frame, which has been answered; `nil` for nothing yet.
    private func nextFragment(
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) -> Frame? {
        let frame = try nextFrame(&deadline)
        guard frame.opcode.isControl else { return try join(frame) }
        try answer(frame, &deadline)
        return frame
    }

    func answer(
        _ frame: Frame,
        _ deadline: inout LazyDeadline
    ) throws(WebSocketError) {
        let result = frame.payload.withUnsafeBytes { bytes in
            Result { () throws(WebSocketError) in try answer(frame.opcode, bytes, &deadline) }
        }
        try result.get()
    }

    /// Joins a frame to its message; with `deliversFragments`, it is delivered by itself, inflated.
    fileprivate func join(_ frame: Frame) throws(WebSocketError) -> Frame? {
        do throws(ProtocolViolation) {
            let isComplete = try receiver.decoder.join(frame)
            guard isComplete || deliversFragments else { return nil }
        } catch {
            throw fail(error)
        }
        return Frame(
            opcode: deliversFragments ? frame.opcode : receiver.decoder.assembler.messageOpcode,
            payload: receiver.decoder.assembler.takeBytes(),
            isFinal: frame.isFinal
        )
    }
}
