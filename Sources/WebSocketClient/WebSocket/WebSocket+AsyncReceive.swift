import Synchronization
import WebSocketProtocol

extension WebSocket {
    /// Waits for the next message while the task sleeps. Pings are answered meanwhile.
    ///
    /// A message that is there already is returned at once. Tasks that receive at the same time take
    /// turns, first come, first served. Cancelling the task loses nothing: the message goes to the next
    /// call, and so does the rest of one that has arrived in part.
    ///
    /// - Returns: The message.
    /// - Throws: ``WebSocketError``, as the blocking `receive()`; `CancellationError` if the task was
    ///   cancelled.
    public func receive() async throws -> Message {
        if isSubclass {
            return try await overriddenReceive().value { [self] in try receive() }
        }
        return try await withOpenConnection { connection, timeouts in
            try await connection.receiving(timeout: timeouts.receive) {
                () throws(WebSocketError) in try connection.attemptMessage()
            }
        }
    }

    /// Waits for the next message as bytes; otherwise as `receive()`.
    ///
    /// - Parameter controlFrames: Whether pings and pongs are returned too, pings after they have
    ///   been answered.
    /// - Returns: The opcode, and the payload; text has been checked.
    /// - Throws: As `receive()`.
    public func receiveData(
        controlFrames: Bool = false
    ) async throws -> (opcode: Opcode, payload: [UInt8]) {
        let frame = try await receiveDataFrame(controlFrames: controlFrames)
        return (frame.opcode, frame.payload)
    }

    /// Waits for the next message as one frame, or, with ``ConnectOptions/deliversFragments``, for its next
    /// fragment; otherwise as `receive()`.
    ///
    /// - Parameter controlFrames: Whether pings and pongs are returned too, pings after they have
    ///   been answered.
    /// - Returns: The message as one frame; or the control frame, or the fragment.
    /// - Throws: As `receive()`.
    public func receiveDataFrame(controlFrames: Bool = false) async throws -> Frame {
        if isSubclass {
            return try await overriddenReceive(controlFrames: controlFrames).value { [self] in
                try receiveDataFrame(controlFrames: controlFrames)
            }
        }
        return try await withOpenConnection { connection, timeouts in
            try await connection.receiving(timeout: timeouts.receive) {
                () throws(WebSocketError) in
                try connection.attemptDataFrame(controlFrames: controlFrames)
            }
        }
    }

    /// The next message, or `nil` once the peer has closed cleanly: with 1000, 1001 or no code.
    ///
    /// Otherwise as `receive()`.
    ///
    /// - Returns: The message; `nil` at the end.
    /// - Throws: As `receive()`, except for the clean end.
    public func next() async throws -> Message? {
        do {
            return try await receive()
        } catch WebSocketError.connectionClosed(let end) where end.isClean {
            return nil
        }
    }

    /// The messages as they arrive, until the peer closes cleanly; any other end is thrown.
    ///
    /// ```swift
    /// for try await message in socket.messages { print(message) }
    /// ```
    ///
    /// It pulls: nothing is read from the connection before the loop asks for it, so a loop that is
    /// slower than the peer slows the peer down, by TCP's flow control, and takes no more memory than
    /// one that keeps up. After leaving the loop, the connection is still open, and another loop goes
    /// on where it stopped. Cancelling the task ends the loop with `CancellationError`.
    public var messages: Messages { Messages(socket: self) }

    /// Hands each message to `body` in place, without copying it, until `body` returns false.
    ///
    /// The fastest way for a task to receive: it takes all messages that have arrived before it sleeps
    /// again, and none needs an allocation. The span is valid only inside `body`; text has been
    /// checked. Other receiving tasks wait until this has returned.
    ///
    /// - Parameter body: Gets the opcode, text or binary, and the payload; false ends the loop, and so
    ///   does an error. It must not block.
    /// - Throws: As `receive()`, and what `body` throws.
    public func forEachMessage(_ body: (Opcode, RawSpan) throws -> Bool) async throws {
        if isSubclass {
            while true {
                let message = try await receive()
                let opcode: Opcode = if case .text = message { .text } else { .binary }
                guard try body(opcode, message.bytes.span.bytes) else { return }
            }
        }
        if Task.isCancelled { throw CancellationError() }
        var failure: (any Error)?
        try await withOpenConnection { connection, timeouts in
            try await connection.inReceiversLine(until: Deadline(timeouts.receive)) { tasks in
                var goesOn = true
                while goesOn {
                    if Task.isCancelled { throw CancellationError() }
                    goesOn = try await connection.receiving(
                        by: Deadline(timeouts.receive),
                        tasks
                    ) { () throws(WebSocketError) in
                        try connection.attemptMessages { opcode, bytes in
                            do {
                                return try body(opcode, RawSpan(_unsafeBytes: bytes))
                            } catch {
                                failure = error
                                return false
                            }
                        }
                    }
                    await connection.yieldFromTimeToTime()
                }
            }
        }
        if let failure { throw failure }
    }

    // MARK: Inside

    private func overriddenReceive() -> OverriddenReceive<Message> {
        overridden.load() ?? overridden.storeIfNil(OverriddenReceive())
    }

    private func overriddenReceive(controlFrames: Bool) -> OverriddenReceive<Frame> {
        let calls = overriddenFrames.load() ?? overriddenFrames.storeIfNil(FrameCalls())
        return controlFrames ? calls.withControlFrames : calls.withoutControlFrames
    }

    /// Runs `body` on the open connection, and releases the connection if that ends it.
    func withOpenConnection<Result>(
        _ body: (Connection, CallTimeouts) async throws -> Result
    ) async throws -> Result {
        let (connection, timeouts) = try openConnection()
        do {
            return try await body(connection, timeouts)
        } catch {
            if connection.end != nil { detach(connection) }
            throw error
        }
    }
}
