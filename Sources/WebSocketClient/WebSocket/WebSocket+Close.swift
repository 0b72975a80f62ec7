import WebSocketProtocol

extension WebSocket {
    /// Sends a close frame and returns; nothing can be sent after it.
    ///
    /// Go on receiving until ``WebSocketError/connectionClosed(_:)`` brings the peer's answer.
    ///
    /// - Parameters:
    ///   - code: The reason as a number.
    ///   - reason: The reason in words, at most 123 bytes of UTF-8; more is cut.
    /// - Throws: ``WebSocketError``: `invalidArgument` for a code that may not be sent, `timedOut`,
    ///   `connectionClosed`, `aborted`.
    @available(*, noasync)
    public func sendClose(
        code: CloseCode = .normalClosure,
        reason: String = ""
    ) throws {
        try Self.check(code)
        try withConnection { connection, timeouts in
            let payload = ClosePayload(code: code, reason: reason)
            var deadline = LazyDeadline(timeouts.send)
            try connection.sendClose(payload, &deadline)
        }
    }

    func closeGracefully(
        _ payload: ClosePayload,
        timeout: Duration?
    ) throws -> ClosePayload? {
        if let code = payload.code { try Self.check(code) }
        do {
            return try withConnection { connection, _ in
                let received = connection.close(payload, timeout: timeout)
                detach(connection)
                return received
            }
        } catch {
            // Not connected, or no longer: there is nothing to close.
            return closeFrame
        }
    }

    static func check(_ code: CloseCode) throws {
        guard code.isValidOnWire else {
            throw WebSocketError.invalidArgument("The close code \(code) may not be sent.")
        }
    }
}
