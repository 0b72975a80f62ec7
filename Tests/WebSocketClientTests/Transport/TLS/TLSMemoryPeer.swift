import CWebSocketOpenSSL
import TestSupport

@testable import WebSocketClient

/// A TLS server on plain OpenSSL, in memory: ciphertext in, ciphertext out.
class TLSMemoryEngine {
    private let context: OpaquePointer?
    let ssl: OpaquePointer?
    private let received: OpaquePointer?
    private let outgoing: OpaquePointer?

    init(_ certificates: Certificates) {
        context = SSL_CTX_new(TLS_server_method())
        let identity = certificates.server
        SSL_CTX_use_certificate_chain_file(context, identity.certificate)
        SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM)
        ssl = SSL_new(context)
        received = BIO_new(BIO_s_mem())
        outgoing = BIO_new(BIO_s_mem())
        SSL_set_bio(ssl, received, outgoing)
        SSL_set_accept_state(ssl)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    func receive(_ ciphertext: [UInt8]) {
        BIO_write(received, ciphertext, Int32(ciphertext.count))
    }

    /// What OpenSSL has written and nobody has sent yet.
    func takeOutput() -> [UInt8] {
        let count = BIO_ctrl_pending(outgoing)
        // Without room it would write the length of the empty array, which all threads share.
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = Int(BIO_read(outgoing, buffer.baseAddress, Int32(count)))
        }
    }

    func write(_ bytes: [UInt8]) {
        SSL_write(ssl, bytes, Int32(bytes.count))
    }

    /// The plaintext that is there; `nil` if there is none.
    func takePlaintext() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = SSL_read(ssl, &buffer, Int32(buffer.count))
        return count > 0 ? Array(buffer[..<Int(count)]) : nil
    }
}

/// As above, with a stream for its ciphertext, which the test carries by hand, so that it can be
/// delivered in any pieces.
final class TLSMemoryPeer: TLSMemoryEngine {
    private let stream: any ByteStream
    /// The ciphertext of the last `takeInput`.
    private(set) var lastInput: [UInt8] = []

    init(over stream: any ByteStream, _ certificates: Certificates) {
        self.stream = stream
        super.init(certificates)
    }

    /// Completes the handshake and delivers all of it.
    func accept() throws {
        while SSL_do_handshake(ssl) != 1 {
            try deliver()
            try takeInput()
        }
        try deliver()
    }

    func deliver() throws {
        try stream.writeAll(takeOutput())
    }

    /// Waits for plaintext.
    func read() throws -> [UInt8] {
        while true {
            if let bytes = takePlaintext() { return bytes }
            guard SSL_get_error(ssl, -1) == SSL_ERROR_WANT_READ else {
                throw SupportError("SSL_read: \(OpenSSLError.take().text)")
            }
            try takeInput()
        }
    }

    func takeInput() throws {
        guard let bytes = try stream.readSome() else { throw SupportError("end of stream") }
        lastInput = bytes
        receive(bytes)
    }
}
