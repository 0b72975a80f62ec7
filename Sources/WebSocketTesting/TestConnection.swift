import LoopbackServer
import WebSocketClient
public import WebSocketProtocol

/// A client of a ``TestServer``, as the server's script sees it.
///
/// It belongs to the thread on which the script runs. Its calls block as long as the client lets them, and end
/// with the connection or with ``TestServer/stop()``.
public final class TestConnection {
    /// The client has ended the connection, in whichever way, or the server has been stopped.
    public struct Ended: Error, Hashable {}

    private let connection: ServerConnection

    init(_ connection: ServerConnection) { self.connection = connection }

    /// What the client asked for.
    public var request: TestRequest {
        TestRequest(target: connection.target, headers: connection.headers)
    }

    // MARK: What a server does

    /// Waits for the next message, joined and inflated; pings and the client's close frame are answered
    /// meanwhile.
    ///
    /// - Returns: The message; text that isn't UTF-8 is repaired.
    /// - Throws: ``Ended``; what rule it broke, if the client did.
    public func receive() throws -> Message {
        try ending {
            let (opcode, payload) = try connection.receive()
            return opcode == .text
                ? .text(String(decoding: payload, as: UTF8.self)) : .binary(payload)
        }
    }

    /// Waits for the client's close frame, drops the messages before it, and answers nothing.
    ///
    /// - Returns: What it carries.
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
    ///   - code: Why.
    ///   - reason: Why, in words: at most 123 bytes of UTF-8.
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
    /// - Parameter frame: The frame; of its reserved bits, RSV1 is sent.
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

    /// Sends bytes as they are: half a frame, or what isn't a frame.
    ///
    /// - Parameter bytes: The bytes.
    /// - Throws: ``Ended``.
    public func write(_ bytes: [UInt8]) throws {
        try ending {
            try connection.flush()
            try connection.write(bytes)
        }
    }

    /// Ends the connection at once, without a close frame, as a network that breaks does.
    public func cut() { connection.stream.abort() }

    /// Answers nothing any more, and returns when the client has ended the connection, or the server has been
    /// stopped.
    ///
    /// What the client sends is read and dropped.
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
