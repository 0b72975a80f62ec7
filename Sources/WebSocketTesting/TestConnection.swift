import LoopbackServer
import WebSocketClient
public import WebSocketProtocol

/// A connection of a client to a ``TestServer``, for the server's script.
///
/// It belongs to the thread on which the script runs. Its calls block until the client has done its
/// part, or until the connection ends or ``TestServer/stop()`` is called.
public final class TestConnection {
    /// The client has ended the connection, in any way, or the server has been stopped.
    public struct Ended: Error, Hashable {}

    private let connection: ServerConnection

    init(_ connection: ServerConnection) { self.connection = connection }

    /// The client's request.
    public var request: TestRequest {
        TestRequest(target: connection.target, headers: connection.headers)
    }

    // MARK: Messages

    /// Waits for the next message, joined and inflated; pings and the client's close frame are answered
    /// meanwhile.
    ///
    /// - Returns: The message; text that isn't UTF-8 is repaired.
    /// - Throws: ``Ended``; a violation if the client broke a rule.
    public func receive() throws -> Message {
        try ending {
            let (opcode, payload) = try connection.receive()
            return opcode == .text
                ? .text(String(decoding: payload, as: UTF8.self)) : .binary(payload)
        }
    }

    /// Waits for the client's close frame, drops the messages before it, and answers nothing.
    ///
    /// - Returns: The contents of the close frame.
    /// - Throws: ``Ended`` if the client ends the connection without one.
    public func receiveClose() throws -> ClosePayload {
        try ending {
            while true {
                let piece = try connection.nextPiece()
                if piece.opcode == .close {
                    return try ClosePayload(decoding: UnsafeRawBufferPointer(piece.bytes))
                }
            }
        }
    }

    /// Sends a text message.
    ///
    /// - Parameter text: The message.
    /// - Throws: ``Ended``.
    public func send(_ text: String) throws { try send(.text(text)) }

    /// Sends a message, compressed if that was agreed.
    ///
    /// - Parameter message: The message.
    /// - Throws: ``Ended``.
    public func send(_ message: Message) throws {
        try ending {
            let opcode: Opcode = if case .text = message { .text } else { .binary }
            try message.bytes.withUnsafeBytes { try connection.sendMessage(opcode, $0) }
            try connection.flush()
        }
    }

    /// Sends a ping.
    ///
    /// - Parameter payload: At most 125 bytes.
    /// - Throws: ``Ended``.
    public func ping(_ payload: [UInt8] = []) throws {
        try send(frame: Frame(opcode: .ping, payload: payload))
    }

    /// Sends a close frame and waits for the client's (RFC 6455 §7.1.2).
    ///
    /// - Parameters:
    ///   - code: The reason as a number.
    ///   - reason: The reason in words: at most 123 bytes of UTF-8.
    /// - Throws: ``Ended`` if the client ends the connection without answering.
    public func close(_ code: CloseCode = .normalClosure, reason: String = "") throws {
        let payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)] + reason.utf8
        try send(frame: Frame(opcode: .close, payload: payload))
        _ = try receiveClose()
    }

    // MARK: Faults

    /// Sends a frame as it is, right or wrong: a fragment, a close frame with a forbidden code, text that isn't
    /// UTF-8.
    ///
    /// - Parameter frame: The frame; of the reserved bits, only RSV1 is sent.
    /// - Throws: ``Ended``.
    public func send(frame: Frame) throws {
        try ending {
            try frame.payload.withUnsafeBytes { payload in
                try connection.send(
                    frame.opcode,
                    payload,
                    isFinal: frame.isFinal,
                    isCompressed: frame.reservedBits & 4 != 0
                )
            }
            try connection.flush()
        }
    }

    /// Sends bytes as they are: half a frame, or no frame at all.
    ///
    /// - Parameter bytes: The bytes.
    /// - Throws: ``Ended``.
    public func write(_ bytes: [UInt8]) throws {
        try ending {
            try connection.flush()
            try connection.write(bytes)
        }
    }

    /// Ends the connection at once, without a close frame, like a broken network.
    public func cut() { connection.stream.abort() }

    /// Stops answering, and returns when the client has ended the connection, or the server has been
    /// stopped.
    ///
    /// Bytes from the client are read and dropped.
    public func ignore() {
        while (try? connection.nextPiece()) != nil {}
    }

    private func ending<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch is ServerConnection.Failure {
            throw Ended()
        } catch is TransportError {
            throw Ended()
        }
    }
}
