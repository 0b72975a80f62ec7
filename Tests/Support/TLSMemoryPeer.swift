import CWebSocketOpenSSL
package import WebSocketClient

/// A TLS server on plain OpenSSL with a stream for its ciphertext, which the test carries by hand, so
/// that it can be delivered in any pieces.
package final class TLSMemoryPeer: TLSMemoryEngine {
    private let stream: any ByteStream
    /// The ciphertext of the last `takeInput`.
    package private(set) var lastInput: [UInt8] = []

    package init(
        over stream: any ByteStream,
        _ certificates: Certificates,
        isSealed: Bool = false
    ) {
        self.stream = stream
        super.init(certificates, isSealed: isSealed)
    }

    /// Completes the handshake and delivers all of it.
    package func accept() throws {
        while SSL_do_handshake(ssl) != 1 {
            try deliver()
            try takeInput()
        }
        try deliver()
    }

    package func deliver() throws {
        try stream.writeAll(takeOutput())
    }

    /// Waits for plaintext.
    package func read() throws -> [UInt8] {
        while true {
            if let bytes = takePlaintext() { return bytes }
            guard SSL_get_error(ssl, -1) == SSL_ERROR_WANT_READ else {
                throw SupportError("SSL_read: \(Self.takeFailure())")
            }
            try takeInput()
        }
    }

    package func takeInput() throws {
        guard let bytes = try stream.readSome() else { throw SupportError("end of stream") }
        lastInput = bytes
        receive(bytes)
    }
}
