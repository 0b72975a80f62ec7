import WebSocketClient

/// A feed that sends prices, as text, once it has been asked for them.
public struct PriceFeed {
    public let url: String
    public let options: ConnectOptions

    public init(url: String, options: ConnectOptions = ConnectOptions()) {
        self.url = url
        self.options = options
    }

    /// The next `count` prices, over as many as three connections.
    public func prices(_ count: Int) async throws -> [String] {
        var prices: [String] = []
        for attempt in 1...3 {
            do {
                try await WebSocket.withConnection(to: url, options: options) { socket in
                    try await socket.send("subscribe from \(prices.count)")
                    for try await message in socket.messages {
                        if let price = message.string { prices.append(price) }
                        if prices.count == count { return }
                    }
                }
                if prices.count == count { return prices }
            } catch WebSocketError.connectionClosed where attempt < 3 {
                continue
            }
        }
        return prices
    }
}
