import CWebSocketOpenSSL

/// One OpenSSL connection in memory: plaintext on one side, ciphertext on the other.
///
/// It waits for nothing and makes no system call. One thread at a time may use it.
struct TLSEngine: ~Copyable, @unchecked Sendable {
    // Unchecked because of the pointer to OpenSSL's object, which nothing else holds.
    enum Step {
        case bytes(Int)
        /// The handshake is complete.
        case done
        /// More ciphertext is needed to go on.
        case needsInput
        /// Ciphertext has to be taken first.
        case needsOutput
        /// The peer has sent close_notify.
        case ended
    }

    /// How many handshake messages (tickets, key updates, requests to renegotiate) a peer may send
    /// without data between them, as each costs work and a peer could go on forever. No handshake takes
    /// that many.
    static let messageLimit = 32

    private let ssl: OpaquePointer
    private let context: TLSContext
    private let peer: TLSPeer
    private let ciphertext: TLSCiphertext
    /// The error that broke the connection; OpenSSL must not be called again after that.
    private var failure: TransportError?

    private init(
        _ ssl: OpaquePointer,
        _ ciphertext: TLSCiphertext,
        _ context: TLSContext,
        _ peer: TLSPeer
    ) {
        self.ssl = ssl
        self.ciphertext = ciphertext
        self.context = context
        self.peer = peer
    }

    /// Begins as client or server, depending on the context.
    static func make(
        context: TLSContext,
        peer: TLSPeer
    ) throws(TransportError) -> TLSEngine {
        ERR_clear_error()
        let ciphertext = TLSCiphertext()
        guard let ssl = SSL_new(context.pointer), let bio = TLSMemoryBIO.make(ciphertext) else {
            throw .tls(OpenSSLError.take().asLibraryFailure)
        }
        SSL_set_bio(ssl, bio, bio)
        ciphertext.countMessages(of: ssl)
        let engine = TLSEngine(ssl, ciphertext, context, peer)
        try context.prepare(ssl, for: peer)
        return engine
    }

    deinit {
        if failure == nil {
            // Without close_notify, OpenSSL wouldn't resume the connection's session. For a client,
            // that serves no purpose: RFC 8446 has no such rule.
            SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        }
        SSL_free(ssl)
    }

    /// Whether `decrypt` has something to return without more input: bytes, the end, or a failure.
    var hasBufferedInput: Bool {
        failure != nil || !ciphertext.input.isEmpty || SSL_pending(ssl) > 0
            || SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0
    }
    var hasOutput: Bool { !ciphertext.output.isEmpty }

    /// Takes the bytes that have arrived; `buffer` is empty afterwards.
    mutating func receive(_ buffer: inout TLSBuffer) {
        if ciphertext.input.isEmpty {
            swap(&ciphertext.input, &buffer)
        } else {
            ciphertext.input.append(buffer.bytes)
            buffer.removeFirst(buffer.count)
        }
    }

    /// Appends the bytes to send to `buffer`.
    mutating func takeOutput(into buffer: inout TLSBuffer) {
        if buffer.isEmpty {
            swap(&ciphertext.output, &buffer)
        } else {
            buffer.append(ciphertext.output.bytes)
            ciphertext.output.removeFirst(ciphertext.output.count)
        }
    }

    mutating func handshake() throws(TransportError) -> Step {
        try check()
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result == 1 else { return try explain(result, during: .handshake) }
        // Success may leave errors of failed attempts behind.
        ERR_clear_error()
        ciphertext.messageCount = 0
        return .done
    }

    /// Decrypts as many records as there are and fit.
    mutating func decrypt(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Step {
        var total = 0
        while total < buffer.count {
            if total > 0, failure != nil || !hasBufferedInput { break }
            try check()
            ERR_clear_error()
            var count = 0
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[total...])
            let result = SSL_read_ex(ssl, free.baseAddress, free.count, &count)
            if result == 1 {
                ciphertext.messageCount = 0
                total += count
                continue
            }
            // Data before the end, or before a bad record, is delivered first; the engine remembers the
            // end or failure and reports it next time.
            do throws(TransportError) {
                let step = try explain(result, during: .connection)
                return total > 0 ? .bytes(total) : step
            } catch {
                if total == 0 { throw error }
                break
            }
        }
        return .bytes(total)
    }

    /// Encrypts all of `bytes`, which may be split into any number of records.
    mutating func encrypt(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Step {
        try check()
        ERR_clear_error()
        ciphertext.output.reserve(bytes.count + TLSEngine.overhead(of: bytes.count))
        var count = 0
        let result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count)
        return result == 1 ? .bytes(count) : try explain(result, during: .connection)
    }

    /// An upper bound of what OpenSSL adds to plaintext: header, type, tag and perhaps a nonce for each
    /// record.
    private static func overhead(of count: Int) -> Int { (count / 16384 + 2) * 64 }

    /// Writes close_notify, if the peer can still decrypt it.
    mutating func shutDown() {
        guard failure == nil, SSL_is_init_finished(ssl) == 1 else { return }
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// The parameters that the handshake has agreed on.
    var session: TLSSession {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &length)
        let selected = UnsafeBufferPointer(start: name, count: Int(length))
        let cipher = SSL_get_current_cipher(ssl)
        return TLSSession(
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(cipher)),
            applicationProtocol: selected.isEmpty ? nil : String(decoding: selected, as: UTF8.self),
            isResumed: SSL_session_reused(ssl) == 1
        )
    }

    private func check() throws(TransportError) {
        if let failure { throw failure }
    }

    private mutating func explain(
        _ result: Int32,
        during kind: TLSError.Kind
    ) throws(TransportError) -> Step {
        let error = SSL_get_error(ssl, result)
        if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE,
            ciphertext.isOverMessageLimit
        {
            throw remember(
                TLSError(
                    kind,
                    reason: "more than \(TLSEngine.messageLimit) messages came without data"
                )
            )
        }
        switch error {
        case SSL_ERROR_WANT_READ: return .needsInput
        case SSL_ERROR_WANT_WRITE: return .needsOutput
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: throw remember(describeFailure(kind))
        }
    }

    private mutating func remember(_ reason: TLSError) -> TransportError {
        let error = TransportError.tls(reason)
        failure = error
        return error
    }

    private func describeFailure(_ kind: TLSError.Kind) -> TLSError {
        let error = OpenSSLError.take()
        let verdict = SSL_get_verify_result(ssl)
        guard kind == .handshake, verdict != Int(X509_V_OK) else {
            return TLSError(kind, reason: error.text + error.hint, code: error.code)
        }
        return TLSError(
            verdict == TLSContext.pinMismatch ? .pinMismatch : .verification,
            reason: describe(verdict),
            code: error.code,
            verifyCode: verdict
        )
    }

    private func describe(_ verdict: Int) -> String {
        if verdict == TLSContext.pinMismatch { return peer.name }
        let words = String(cString: X509_verify_cert_error_string(verdict))
        // A machine that has lost its clock refuses every certificate.
        let isAboutTime =
            verdict == Int(X509_V_ERR_CERT_NOT_YET_VALID)
            || verdict == Int(X509_V_ERR_CERT_HAS_EXPIRED)
        guard !isAboutTime else {
            return "\(words) (\(peer.name)); this machine's clock says \(SystemCalls.timestamp())"
        }
        let isIssuerUnknown =
            verdict == Int(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
            || verdict == Int(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
        guard isIssuerUnknown, let lack = context.lackOfAuthorities else {
            return "\(words) (\(peer.name))"
        }
        return "\(words) (\(peer.name)); \(lack)"
    }
}

/// The parameters that a TLS handshake has agreed on.
package struct TLSSession: Sendable, Hashable {
    /// "TLSv1.3", for example.
    package let version: String
    /// OpenSSL's name of the cipher suite.
    package let cipher: String
    /// The protocol that ALPN chose; `nil` if the server doesn't support ALPN.
    package let applicationProtocol: String?
    /// Whether an earlier session was resumed, without certificates.
    package let isResumed: Bool
}
