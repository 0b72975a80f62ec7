import TestSupport

@testable import WebSocketClient

/// Puts peers in memory behind a port, one for each connection, in order.
final class PeerServer: Sendable {
    private let listener: Listener

    var port: UInt16 { listener.port }

    init() throws { listener = try Listener() }

    /// Serves the next connection. The peer may be examined once the thread has ended.
    func serve(_ peer: any MemoryPeer) -> Background<Void> {
        // Safe: only the thread touches it until it has ended.
        nonisolated(unsafe) let peer = peer
        return Background { [listener] in
            let stream = try listener.accept(until: .ample)
            // Broken connections are being tested.
            try? Self.converse(over: stream, with: peer)
            stream.finishWriting()
        }
    }

    private static func converse(
        over stream: any ByteStream,
        with peer: any MemoryPeer
    ) throws {
        while !peer.hasEnded, let bytes = try stream.readSome() {
            try stream.writeAll(peer.receive(bytes))
        }
    }
}
