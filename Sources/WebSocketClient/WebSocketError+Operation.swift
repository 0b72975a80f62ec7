extension WebSocketError {
    /// The operation during which time ran out or the task was cancelled.
    public enum Operation: Sendable, Hashable {
        /// Resolving the host's name.
        case resolution
        /// Opening the TCP connection.
        case connecting
        /// The proxy's handshake.
        case proxyHandshake
        /// The TLS handshake.
        case tlsHandshake
        /// The WebSocket handshake.
        case handshake
        /// Sending. If `isAccepted`, the rest of the message goes out before the next one, so don't
        /// send it again; otherwise none of it has been or will be sent.
        case sending(isAccepted: Bool)
        /// Waiting until the peer's system has acknowledged what was sent.
        case acknowledgement
        /// Receiving. The part of a message that has arrived is kept; the next call goes on with it.
        case receiving
        /// A pong that answers a keepalive ping.
        case keepalive
    }
}

extension WebSocketError.Operation: CustomStringConvertible {
    /// The operation in words.
    public var description: String {
        switch self {
        case .resolution: "name resolution"
        case .connecting: "connecting"
        case .proxyHandshake: "the proxy's handshake"
        case .tlsHandshake: "the TLS handshake"
        case .handshake: "the WebSocket handshake"
        case .sending(isAccepted: true):
            "sending; the rest of the message will go out before the next one"
        case .sending(isAccepted: false): "sending; none of the message has been sent"
        case .acknowledgement: "the wait for an acknowledgement"
        case .receiving: "receiving"
        case .keepalive: "the wait for a pong"
        }
    }
}
