public struct WebSocketClient: Sendable {
    public static var library: String { "WSClient" }

    public init() {}
}

public enum WebSocketMessage: Sendable {
    case text(String)
}
