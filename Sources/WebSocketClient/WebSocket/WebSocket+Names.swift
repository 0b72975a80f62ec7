import WebSocketProtocol

/// The types that a connection uses, as members of its own: if another module also has a `Message` or a
/// `Frame`, write `WebSocket.Message`.
extension WebSocket {
    /// A text or binary message.
    public typealias Message = WebSocketProtocol.Message
    /// A frame of RFC 6455 §5.2.
    public typealias Frame = WebSocketProtocol.Frame
    /// The kind of a frame (RFC 6455 §11.8).
    public typealias Opcode = WebSocketProtocol.Opcode
    /// Why a connection is closed (RFC 6455 §7.4).
    public typealias CloseCode = WebSocketProtocol.CloseCode
    /// What a close frame carries (RFC 6455 §5.5.1).
    public typealias ClosePayload = WebSocketProtocol.ClosePayload
}
