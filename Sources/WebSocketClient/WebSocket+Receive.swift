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
                        try connection.answer(opcode, payload)
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

    // MARK: Inside

    func receiveMessage() throws(WebSocketError) -> Message {
        guard !isSubclass, !options.deliversFragments else {
            let frame = try receiveDataFrame()
            return frame.opcode == .text ? .text(frame.text) : .binary(frame.payload)
        }
        return try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) {
                (deadline) throws(WebSocketError) in
                while true {
                    switch try connection.nextEvent(&deadline) {
                    case .message(.text, let bytes):
                        return .text(connection.receiver.decoder.assembler.makeText(bytes))
                    case .message(_, let bytes):
                        return .binary(Array(bytes))
                    case .assembledMessage(.text):
                        return .text(connection.receiver.decoder.assembler.takeText())
                    case .assembledMessage:
                        return .binary(connection.receiver.decoder.assembler.takeBytes())
                    case .control(let opcode, let payload):
                        try connection.answer(opcode, payload)
                    case .needsMoreBytes:
                        continue
                    }
                }
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

    /// The slow road, on which a subclass sees every frame.
    func joinFrames(controlFrames: Bool) throws(WebSocketError) -> Frame {
        while true {
            let frame = try receiveFrame()
            switch frame.opcode {
            case .ping:
                try pong(frame.payload)
                if controlFrames { return frame }
            case .pong:
                if controlFrames { return frame }
            case .close:
                try answerClose(frame)
            case .text, .binary, .continuation:
                if let message = try join(frame) { return message }
            }
        }
    }

    private func answerClose(_ frame: Frame) throws(WebSocketError) {
        try withDecoder { (connection) throws(WebSocketError) in
            let result = frame.payload.withUnsafeBytes { bytes in
                Result { () throws(WebSocketError) in try connection.answer(.close, bytes) }
            }
            try result.get()
        }
    }

    /// Joins a frame to its message; with `deliversFragments`, it is delivered by itself, inflated.
    private func join(_ frame: Frame) throws(WebSocketError) -> Frame? {
        let deliversFragments = options.deliversFragments
        return try withDecoder { (connection) throws(WebSocketError) in
            let receiver = connection.receiver
            do throws(ProtocolViolation) {
                let isComplete = try receiver.decoder.join(frame)
                guard isComplete || deliversFragments else { return nil }
            } catch {
                throw connection.fail(error)
            }
            let opcode = deliversFragments ? frame.opcode : receiver.decoder.assembler.messageOpcode
            return Frame(
                opcode: opcode,
                payload: receiver.decoder.assembler.takeBytes(),
                isFinal: frame.isFinal
            )
        }
    }

    private func withDecoder<Result>(
        _ body: (Connection) throws(WebSocketError) -> Result
    ) throws(WebSocketError) -> Result {
        try withConnection { (connection, timeouts) throws(WebSocketError) in
            var deadline = LazyDeadline(timeouts.receive)
            return try connection.withReceivingTurn(&deadline) { (_) throws(WebSocketError) in
                try body(connection)
            }
        }
    }
}
