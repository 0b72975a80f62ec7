import CWebSocketOpenSSL

/// A TLS server on plain OpenSSL, in memory: ciphertext in, ciphertext out.
package class TLSMemoryEngine {
    private let context: OpaquePointer?
    package let ssl: OpaquePointer?
    private let received: OpaquePointer?
    private let outgoing: OpaquePointer?
    /// The secrets of the handshake by their labels, as in a key log.
    private var secrets: [String: [UInt8]] = [:]

    /// - Parameter isSealed: The server keeps to TLS 1.3, one suite and no tickets, so that a
    ///   ``TLSRecordSealer`` can go on in its place.
    package init(_ certificates: Certificates, isSealed: Bool = false) {
        context = SSL_CTX_new(TLS_server_method())
        if isSealed {
            SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256")
            SSL_CTX_set_num_tickets(context, 0)
        }
        let identity = certificates.server
        SSL_CTX_use_certificate_chain_file(context, identity.certificate)
        SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM)
        ssl = SSL_new(context)
        received = BIO_new(BIO_s_mem())
        outgoing = BIO_new(BIO_s_mem())
        SSL_set_bio(ssl, received, outgoing)
        SSL_set_accept_state(ssl)
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_keylog_callback(context) { ssl, line in
            guard let line, let engine = SSL_get_ex_data(ssl, 0) else { return }
            Unmanaged<TLSMemoryEngine>.fromOpaque(engine).takeUnretainedValue()
                .keepSecret(String(cString: line))
        }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Whether the handshake is complete.
    package var isOpen: Bool { SSL_is_init_finished(ssl) == 1 }

    package func shakeHands() { SSL_do_handshake(ssl) }

    private func keepSecret(_ line: String) {
        let words = line.split(separator: " ")
        guard words.count == 3 else { return }
        let digits = words[2].compactMap { $0.hexDigitValue.map(UInt8.init) }
        secrets[String(words[0])] = stride(from: 0, to: digits.count - 1, by: 2).map {
            digits[$0] << 4 | digits[$0 + 1]
        }
    }

    /// What makes records in this server's place; from then on it must not write any itself.
    package func makeSealer() throws -> TLSRecordSealer {
        guard let secret = secrets["SERVER_TRAFFIC_SECRET_0"] else {
            throw SupportError("the handshake isn't complete, or isn't one of TLS 1.3")
        }
        return TLSRecordSealer(secret: secret)
    }

    package func receive(_ ciphertext: [UInt8]) {
        BIO_write(received, ciphertext, Int32(ciphertext.count))
    }

    /// Bytes that OpenSSL has written and nobody has sent yet.
    package func takeOutput() -> [UInt8] {
        let count = BIO_ctrl_pending(outgoing)
        // Without room it would write the length of the empty array, which all threads share.
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = Int(BIO_read(outgoing, buffer.baseAddress, Int32(count)))
        }
    }

    package func write(_ bytes: [UInt8]) {
        SSL_write(ssl, bytes, Int32(bytes.count))
    }

    /// Asks the client for a certificate of `authority`'s, after the handshake (RFC 8446 §4.6.2).
    package func askForCertificate(of authority: Certificates.Identity) throws {
        SSL_CTX_load_verify_file(context, authority.certificate)
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        guard SSL_verify_client_post_handshake(ssl) == 1 else {
            throw SupportError("SSL_verify_client_post_handshake: \(Self.takeFailure())")
        }
        SSL_do_handshake(ssl)
    }

    /// Whether the client has presented a certificate, and it was accepted.
    package var hasVerifiedClient: Bool {
        SSL_get0_peer_certificate(ssl) != nil && SSL_get_verify_result(ssl) == Int(X509_V_OK)
    }

    /// The available plaintext; `nil` if there is none.
    package func takePlaintext() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = SSL_read(ssl, &buffer, Int32(buffer.count))
        return count > 0 ? Array(buffer[..<Int(count)]) : nil
    }

    /// OpenSSL's reason for the last failure of the thread, in its own words; empties its queue.
    package static func takeFailure() -> String {
        defer { ERR_clear_error() }
        return ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "no reason"
    }
}
