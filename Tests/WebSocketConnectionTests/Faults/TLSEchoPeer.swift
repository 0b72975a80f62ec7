import CWebSocketOpenSSL
import TestSupport

@testable import WebSocketClient

/// A TLS server in memory, in front of another peer.
final class TLSEchoPeer: MemoryPeer {
    private let inner: any MemoryPeer
    private let engine: TLSMemoryEngine

    init(_ inner: any MemoryPeer) throws {
        self.inner = inner
        engine = TLSMemoryEngine(try Certificates.shared.get())
    }

    /// Whether the client has finished its part of the handshake.
    var isOpen: Bool { engine.isOpen }

    var hasEnded: Bool { inner.hasEnded }

    func receive(_ bytes: [UInt8]) -> [UInt8] {
        engine.receive(bytes)
        if !isOpen { engine.shakeHands() }
        while let text = engine.takePlaintext() {
            let answer = inner.receive(text)
            if !answer.isEmpty { engine.write(answer) }
        }
        if inner.hasEnded { SSL_shutdown(engine.ssl) }
        return engine.takeOutput()
    }
}
