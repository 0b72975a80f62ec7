public import WebSocketClient

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

extension WebSocket {
    /// Sends a value as JSON in a text message, while the task sleeps; otherwise as
    /// `WebSocket.send(_:)`.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - encoder: Encodes it. Default: one with default settings.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: `EncodingError` for a value that can't be encoded, and then nothing is sent; otherwise as
    ///   the call that sends text.
    @discardableResult
    public func send(
        json value: some Encodable,
        encoder: JSONEncoder = JSONEncoder()
    ) async throws -> Int {
        try await send(Self.text(of: value, encoder))
    }

    /// Sends a value as JSON in a text message; blocks as the call that sends text.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - encoder: Encodes it. Default: one with default settings.
    /// - Returns: The length of the frame on the wire, header included.
    /// - Throws: `EncodingError` for a value that can't be encoded, and then nothing is sent; otherwise as
    ///   the call that sends text.
    @available(*, noasync)
    @discardableResult
    public func send(
        json value: some Encodable,
        encoder: JSONEncoder = JSONEncoder()
    ) throws -> Int {
        try send(Self.text(of: value, encoder))
    }

    /// Waits for the next message while the task sleeps, and decodes it as JSON.
    ///
    /// - Parameters:
    ///   - type: What to decode.
    ///   - decoder: Decodes it. Default: one with default settings.
    /// - Returns: The value of the message, text or binary.
    /// - Throws: `DecodingError` for a message that isn't such a value, and the next call goes on with the
    ///   next message; otherwise as `WebSocket.receive()`.
    public func receive<Value: Decodable>(
        as type: Value.Type,
        decoder: JSONDecoder = JSONDecoder()
    ) async throws -> Value {
        let message = try await receive()
        return try decoder.decode(type, from: Data(message.bytes))
    }

    /// Waits for the next message, blocking, and decodes it as JSON.
    ///
    /// - Parameters:
    ///   - type: What to decode.
    ///   - decoder: Decodes it. Default: one with default settings.
    /// - Returns: The value of the message, text or binary.
    /// - Throws: `DecodingError` for a message that isn't such a value, and the next call goes on with the
    ///   next message; otherwise as the blocking `receive()`.
    @available(*, noasync)
    public func receive<Value: Decodable>(
        as type: Value.Type,
        decoder: JSONDecoder = JSONDecoder()
    ) throws -> Value {
        try decoder.decode(type, from: Data(receive().bytes))
    }

    private static func text(of value: some Encodable, _ encoder: JSONEncoder) throws -> String {
        String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
