import WebSocketProtocol

/// The types that a connection deals in, also by its own name: beside a module that has a `Message` or
/// a `Frame` too, `WebSocket.Message` still says which is meant.
extension WebSocket {
    /// A text or binary message.
    public typealias Message = WebSocketProtocol.Message
    /// A frame of RFC 6455 §5.2.
    public typealias Frame = WebSocketProtocol.Frame
    /// What a frame is (RFC 6455 §11.8).
    public typealias Opcode = WebSocketProtocol.Opcode
    /// Why a connection is closed (RFC 6455 §7.4).
    public typealias CloseCode = WebSocketProtocol.CloseCode
    /// What a close frame carries (RFC 6455 §5.5.1).
    public typealias ClosePayload = WebSocketProtocol.ClosePayload
}
