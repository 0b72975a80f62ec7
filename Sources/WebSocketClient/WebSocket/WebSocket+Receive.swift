import WebSocketProtocol

extension WebSocket {
    /// Hands each message to `body` where it lies, without copying it, until `body` returns false.
    ///
    /// The fastest way to receive: no allocation for a message that arrives in one piece. The span is
    /// valid inside `body` alone; text has been checked. Blocks as ``receive()`` does for each
    /// message, and keeps other threads from receiving until it returns.
    ///
    /// - Parameter body: Gets the opcode, text or binary, and the payload; false ends the loop.
    /// - Throws: As ``receive()``.
    public func forEachMessage(
        _ body: (Opcode, RawSpan) throws(WebSocketError) -> Bool
    ) throws(WebSocketError) {
        if isSubclass {
            while true {
                let frame = try receiveDataFrame()
                guard try body(frame.opcode, frame.payload.span.bytes) else { return }
            }
        }
        try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            try connection.withReceivingTurn(&deadline) { (deadline) throws(WebSocketError) in
                while true {
                    let goesOn: Bool
                    switch try connection.nextEvent(&deadline) {
                    case .message(let opcode, let bytes):
                        goesOn = try body(opcode, RawSpan(_unsafeBytes: bytes))
                    case .assembledMessage(let opcode):
                        goesOn = try connection.receiver.decoder.assembler.withBytes {
                            (bytes) throws(WebSocketError) in
                            try body(opcode, RawSpan(_unsafeBytes: bytes))
                        }
                    case .control(let opcode, let payload):
                        try connection.answer(opcode, payload, &deadline)
                        continue
                    case .needsMoreBytes:
                        continue
                    }
                    guard goesOn else { return }
                    deadline = LazyDeadline(timeouts.receive)
                }
            }
        }
    }

    /// Hands each message to `body` where it lies; for closures that throw any error.
    ///
    /// - Parameter body: Gets the opcode, text or binary, and the payload; false ends the loop, and so
    ///   does an error.
    /// - Throws: As ``receive()``, and what `body` throws.
    public func forEachMessage(_ body: (Opcode, RawSpan) throws -> Bool) throws {
        // A closure without a type for its errors throws any error: this lets the others out.
        var failure: (any Error)?
        try forEachMessage { (opcode, payload) throws(WebSocketError) in
            do {
                return try body(opcode, payload)
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
    }

    // MARK: Inside

    func receiveMessage() throws(WebSocketError) -> Message {
        if isSubclass { return Message(try receiveDataFrame()) }
        return try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.deliversFragments
                    ? Message(connection.nextJoined(&deadline, controlFrames: false))
                    : connection.nextMessage(&deadline)
            }
        }
    }

    func receiveOneFrame() throws(WebSocketError) -> Frame {
        try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.nextFrame(&deadline)
            }
        }
    }

    func receiveJoined(controlFrames: Bool) throws(WebSocketError) -> Frame {
        if isSubclass { return try joinFrames(controlFrames: controlFrames) }
        return try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                try connection.nextJoined(&deadline, controlFrames: controlFrames)
            }
        }
    }

    /// The slow road, on which a subclass sees every frame.
    private func joinFrames(controlFrames: Bool) throws(WebSocketError) -> Frame {
        var deadline = LazyDeadline(timeout)
        // Frame by frame, two threads would get at each other's fragments.
        guard joining.lock(until: deadline.value) else { throw .timedOut(.receiving) }
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
        throw .timedOut(.receiving)
    }

    /// Joins a frame to its message, or answers a close frame.
    private func take(_ frame: Frame) throws(WebSocketError) -> Frame? {
        try withConnection { (connection, timeouts) throws(WebSocketError) in
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
