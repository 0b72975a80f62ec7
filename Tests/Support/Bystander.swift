package import WebSocketClient

/// A subclass that changes nothing, so that everything goes frame by frame.
package final class Bystander: WebSocket, @unchecked Sendable {}
