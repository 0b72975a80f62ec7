import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("What an error of connecting says: where it was, and what is likely behind it", .blocking)
struct ErrorWordsTests {
    /// What the other end does with a connection.
    enum Peer: Sendable {
        case says([UInt8])
        case closes, resets
        case speaksTLS

        static let plain = Peer.says(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        /// A TLS server that was asked in the clear: a fatal alert, protocol_version.
        static let alert = Peer.says([21, 3, 1, 0, 2, 2, 70])

        func serve(_ stream: any ByteStream) throws {
            if case .speaksTLS = self {
                let server = try Certificates.shared.get().server
                let tls = try TLSServer(certificateFile: server.certificate, keyFile: server.key)
                // It can't, for the client speaks in the clear.
                _ = try? tls.accept(over: stream, until: .ample)
                return stream.finishWriting()
            }
            _ = try stream.readSome()
            switch self {
            case .says(let bytes):
                try stream.writeAll(bytes)
                stream.finishWriting()
                while try stream.readSome() != nil {}
            case .resets: try reset(stream)
            case .closes, .speaksTLS: break
            }
        }
    }

    private func words(_ scheme: String, _ peer: Peer, through proxy: Proxy.Kind? = nil) throws
        -> String
    {
        let listener = try Listener()
        let serving = Background { try peer.serve(try listener.accept(until: .ample)) }
        var options = ConnectOptions(timeout: .ample)
        options.cookieJar = nil
        options.noProxy = []
        options.proxy =
            proxy.map { .proxy(Proxy($0, host: "127.0.0.1", port: listener.port)) } ?? .none
        let error = failure {
            try WebSocket.connect(to: "\(scheme)://127.0.0.1:\(listener.port)/", options: options)
        }
        // A client that has gone may be what the peer noticed.
        _ = try? serving.join()
        return "\(try #require(error))"
    }

    @Test("wss to a port that doesn't speak TLS")
    func plainPort() throws {
        #expect(
            try words("wss", .plain)
                == "The TLS handshake failed: wrong version number; the other end doesn't seem to "
                + "speak TLS on this port."
        )
        #expect(
            try words("wss", .closes) == "The TLS handshake failed: the peer closed the connection."
        )
        #expect(
            try words("wss", .resets) == "The TLS handshake failed: the peer reset the connection."
        )
    }

    @Test("ws to a port that speaks TLS, which tells it in one of several ways")
    func securePort() throws {
        for peer in [Peer.alert, .speaksTLS, .closes, .resets] {
            let words = try words("ws", peer)
            #expect(words.contains("handshake") || words.contains("not HTTP"), "\(words)")
            #expect(words.hasSuffix("it may expect TLS."), "\(words)")
        }
    }

    @Test("A server that ends in the middle of its answer isn't suspected of TLS")
    func halfAnAnswer() throws {
        let words = try words("ws", .says(Array("HTTP/1.1 101 Sw".utf8)))
        #expect(words == "The connection was lost: the server ended it during the handshake.")
    }

    @Test("A proxy that is taken for one of another kind, or says nothing")
    func proxies() throws {
        #expect(
            try words("ws", .alert, through: .http)
                == "The proxy's answer can't be understood. The peer's first bytes are not HTTP; it "
                + "may expect TLS."
        )
        #expect(
            try words("wss", .plain, through: .https)
                == "TLS with the proxy: The TLS handshake failed: wrong version number; the other end "
                + "doesn't seem to speak TLS on this port."
        )
        for kind in [Proxy.Kind.http, .socks4a, .socks5h] {
            for peer in [Peer.closes, .resets] {
                #expect(
                    try words("wss", peer, through: kind)
                        == "The proxy closed the connection before it answered."
                )
            }
        }
    }
}
