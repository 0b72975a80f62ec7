import COpenSSL

public final class WebSocket: Sendable {
    public static var library: String { "WebSocketKit \(stand_in_for_COpenSSL())" }

    public init() {}
}

public enum WebSocketClient {
    public enum Error: Swift.Error { case invalidURL }
}
