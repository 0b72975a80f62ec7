import CWebSocketOpenSSL

/// OpenSSL's settings for many connections, made once from options.
final class TLSContext: @unchecked Sendable {
    // Unchecked because of the pointer: by OpenSSL's documentation, an SSL_CTX that is no longer
    // changed may be shared; session tickets are kept in `sessions`, not in it. Everything else is set
    // in init.
    let pointer: OpaquePointer
    let options: TLSOptions
    let sessions = TLSSessionStore()
    private let keyLog: LogFile?
    private var trust: TrustAnchors?

    /// The verification result for a chain without any of the pinned keys.
    static let pinMismatch = Int(X509_V_ERR_APPLICATION_VERIFICATION)

    /// A client's context.
    init(_ options: TLSOptions) throws(TransportError) {
        let pointer = try TLSContext.makePointer(TLS_client_method)
        self.pointer = pointer
        self.options = options
        let keyLogPath = options.keyLogFile ?? SystemCalls.environmentVariable("SSLKEYLOGFILE")
        keyLog = keyLogPath.flatMap(TLSContext.openKeyLog)
        setCommon()
        try setVersionsAndCiphers()
        try setVerification()
        try setClientCertificate()
        try setApplicationProtocols()
        setSessions()
        options.contextHook?(pointer)
    }

    /// A server's context; its certificate takes the place of a client's.
    init(server options: TLSOptions) throws(TransportError) {
        let pointer = try TLSContext.makePointer(TLS_server_method)
        self.pointer = pointer
        self.options = options
        keyLog = nil
        setCommon()
        try setVersionsAndCiphers()
        try setClientCertificate()
        SSL_CTX_set_session_id_context(pointer, "loopback", 8)
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    private static func makePointer(
        _ method: () -> OpaquePointer?
    ) throws(TransportError) -> OpaquePointer {
        // Before anything else: even reading OpenSSL's error queue registers its handler for exit(3).
        let isReady = OpenSSL.isReady
        ERR_clear_error()
        guard isReady, let pointer = SSL_CTX_new(method()) else {
            throw .tls(OpenSSLError.take().asLibraryFailure)
        }
        return pointer
    }

    /// The key log is only a diagnostic aid, so a connection doesn't fail without it.
    private static func openKeyLog(_ path: String) -> LogFile? {
        guard !path.isEmpty else { return nil }
        do throws(ErrorNumber) {
            return try LogFile(path: path)
        } catch {
            if Tracing.isEnabled { Tracing.log("The key log \(path) can't be written: \(error)") }
            return nil
        }
    }

    private func setCommon() {
        // No renegotiation: RFC 6455 peers have no use for it, and it makes a write depend on a read.
        shim_SSL_CTX_set_no_renegotiation(pointer)
        // A repeated write has the same bytes, but perhaps another address. And an idle connection
        // keeps no buffers.
        shim_SSL_CTX_set_mode(
            pointer,
            Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS)
        )
        SSL_CTX_set_ex_data(
            pointer,
            TLSContext.contextIndex,
            Unmanaged.passUnretained(self).toOpaque()
        )
        if keyLog != nil { SSL_CTX_set_keylog_callback(pointer, logKey) }
    }

    private func setVersionsAndCiphers() throws(TransportError) {
        try require(
            shim_SSL_CTX_set_min_proto_version(pointer, options.minimumVersion.number),
            "the minimum version"
        )
        if let maximum = options.maximumVersion {
            try require(
                shim_SSL_CTX_set_max_proto_version(pointer, maximum.number),
                "the maximum version"
            )
        }
        if let ciphers = options.ciphers {
            try require(SSL_CTX_set_cipher_list(pointer, ciphers), "the ciphers")
        }
        if let suites = options.cipherSuites {
            try require(SSL_CTX_set_ciphersuites(pointer, suites), "the cipher suites")
        }
        if let curves = options.curves {
            try require(shim_SSL_CTX_set1_groups_list(pointer, curves), "the curves")
        }
    }

    private func setVerification() throws(TransportError) {
        // Also without verification: `verify` decides what to check, and checks the pins.
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_cert_verify_callback(
            pointer,
            verifyChain,
            Unmanaged.passUnretained(self).toOpaque()
        )
        // Without SHA-256 no pin matches; this says why.
        if !options.pinnedPublicKeys.isEmpty { _ = try SHA256.digest([]) }
        guard options.verification != .none else { return }
        let trust = try TrustAnchors(options)
        self.trust = trust
        switch trust {
        case .system:
            try require(SSL_CTX_set_default_verify_paths(pointer), "the system's authorities")
        case .files(let file, let directory):
            // A certificate that is trusted explicitly needs no issuer above it.
            X509_VERIFY_PARAM_set_flags(
                SSL_CTX_get0_param(pointer),
                UInt(X509_V_FLAG_PARTIAL_CHAIN)
            )
            if let file { try require(SSL_CTX_load_verify_file(pointer, file), file) }
            if let directory { try require(SSL_CTX_load_verify_dir(pointer, directory), directory) }
        }
    }

    /// Why no chain can be verified at all; `nil` if that isn't certain.
    var lackOfAuthorities: String? {
        guard case .system(let authorities)? = trust, authorities.areMissing else { return nil }
        return "no certificate authority is installed (neither \(authorities.file) nor a file in "
            + "\(authorities.directories.joined(separator: " or ")) exists; "
            + "most systems have them in the package ca-certificates)"
    }

    private func setClientCertificate() throws(TransportError) {
        guard let certificate = options.clientCertificate else { return }
        let keyFile = certificate.keyFile ?? certificate.certificateFile
        // Without a callback, OpenSSL would ask for the password on the terminal.
        SSL_CTX_set_default_passwd_cb(pointer, givePassword)
        let password = Password(certificate.password)
        SSL_CTX_set_default_passwd_cb_userdata(
            pointer,
            Unmanaged.passUnretained(password).toOpaque()
        )
        defer {
            withExtendedLifetime(password) {
                SSL_CTX_set_default_passwd_cb_userdata(pointer, nil)
            }
        }
        try require(
            SSL_CTX_use_certificate_chain_file(pointer, certificate.certificateFile),
            "the certificate \(certificate.certificateFile)"
        )
        try require(
            SSL_CTX_use_PrivateKey_file(pointer, keyFile, SSL_FILETYPE_PEM),
            "the key \(keyFile)"
        )
        try require(SSL_CTX_check_private_key(pointer), "the key \(keyFile)")
        // A server that requires it only for some paths asks for it after the handshake (RFC 8446
        // §4.6.2).
        SSL_CTX_set_post_handshake_auth(pointer, 1)
    }

    private func setApplicationProtocols() throws(TransportError) {
        guard !options.applicationProtocols.isEmpty else { return }
        var list: [UInt8] = []
        for name in options.applicationProtocols {
            guard (1...255).contains(name.utf8.count) else {
                throw .tls(TLSError(.configuration, reason: "an ALPN name has 1 to 255 bytes"))
            }
            list.append(UInt8(name.utf8.count))
            list += name.utf8
        }
        // Zero is success here, unlike everywhere else.
        let code = SSL_CTX_set_alpn_protos(pointer, list, UInt32(list.count))
        try require(code == 0 ? 1 : 0, "the application protocols")
    }

    private func setSessions() {
        let isOn = options.resumesSessions
        let mode = isOn ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF
        shim_SSL_CTX_set_session_cache_mode(pointer, Int(mode))
        if isOn { SSL_CTX_sess_set_new_cb(pointer, storeSession) }
    }

    /// Tells OpenSSL which peer a connection is for.
    func prepare(_ ssl: OpaquePointer, for peer: TLSPeer) throws(TransportError) {
        guard SSL_is_server(ssl) == 0 else {
            SSL_set_accept_state(ssl)
            return
        }
        // OpenSSL would take an empty name to mean that none is checked, and a leading dot to mean any
        // host below the name, and it would stop at a NUL.
        guard !peer.name.isEmpty, !peer.name.hasPrefix("."), !peer.name.utf8.contains(0) else {
            throw .invalidArgument(
                "The name of a TLS server must not be empty, begin with a dot or contain NUL."
            )
        }
        SSL_set_connect_state(ssl)
        if !peer.isAddress {
            try require(shim_SSL_set_tlsext_host_name(ssl, peer.name), "the server's name")
        }
        if options.verification == .full {
            let parameters = SSL_get0_param(ssl)
            // RFC 9525 §2: the Common Name doesn't say which host a certificate is for.
            X509_VERIFY_PARAM_set_hostflags(
                parameters,
                UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
            )
            let isSet =
                peer.isAddress
                ? X509_VERIFY_PARAM_set1_ip_asc(parameters, peer.name)
                : X509_VERIFY_PARAM_set1_host(parameters, peer.name, 0)
            try require(isSet, "the server's name")
        }
        if options.resumesSessions { sessions.prepare(ssl, for: peer) }
    }

    private func require(_ result: Int32, _ subject: String) throws(TransportError) {
        guard result != 1 else {
            // Success may leave errors of failed attempts behind.
            ERR_clear_error()
            return
        }
        let error = OpenSSLError.take()
        throw .tls(
            TLSError(.configuration, reason: "\(subject): \(error.text)", code: error.code)
        )
    }

    /// Verifies a peer's chain in place of OpenSSL's own function; runs within a handshake.
    fileprivate func verify(_ store: OpaquePointer) -> Bool {
        if options.verification == .none {
            X509_STORE_CTX_set_error(store, X509_V_OK)
        } else if X509_verify_cert(store) != 1 {
            return false
        }
        guard !options.pinnedPublicKeys.isEmpty else { return true }
        var certificates = [X509_STORE_CTX_get0_cert(store)]
        if options.verification != .none {
            let chain = X509_STORE_CTX_get0_chain(store)
            certificates = (0..<shim_sk_X509_num(chain)).map { shim_sk_X509_value(chain, $0) }
        }
        let isPinned = certificates.contains {
            publicKeyPin(of: $0).map(options.pinnedPublicKeys.contains) ?? false
        }
        if !isPinned { X509_STORE_CTX_set_error(store, Int32(TLSContext.pinMismatch)) }
        return isPinned
    }

    fileprivate func appendToKeyLog(_ line: UnsafePointer<CChar>) {
        keyLog?.append(String(cString: line))
    }

    fileprivate static let contextIndex = shim_SSL_CTX_new_index()

    fileprivate static func of(_ ssl: OpaquePointer?) -> Unmanaged<TLSContext>? {
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), contextIndex).map { Unmanaged.fromOpaque($0) }
    }
}

/// The hash of a certificate's SubjectPublicKeyInfo.
private func publicKeyPin(of certificate: OpaquePointer?) -> TLSOptions.PublicKeyPin? {
    guard let certificate, let key = X509_get_X509_PUBKEY(certificate) else { return nil }
    let length = i2d_X509_PUBKEY(key, nil)
    guard length > 0 else { return nil }
    let encoded = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
        var end = buffer.baseAddress
        count = Int(max(0, i2d_X509_PUBKEY(key, &end)))
    }
    // Without a digest, no pin can match.
    guard let digest = try? SHA256.digest(encoded) else { return nil }
    return TLSOptions.PublicKeyPin(sha256: digest)
}

private final class Password {
    let bytes: [UInt8]

    init(_ text: String?) {
        bytes = Array((text ?? "").utf8)
    }
}

// OpenSSL calls these; the last argument of each, or the SSL_CTX, refers to the Swift object.

private func verifyChain(_ store: OpaquePointer?, _ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let store, let context else { return 0 }
    return Unmanaged<TLSContext>.fromOpaque(context).takeUnretainedValue().verify(store) ? 1 : 0
}

private func givePassword(
    _ buffer: UnsafeMutablePointer<CChar>?,
    _ size: Int32,
    _ isForWriting: Int32,
    _ password: UnsafeMutableRawPointer?
) -> Int32 {
    guard let buffer, let password else { return -1 }
    let bytes = Unmanaged<Password>.fromOpaque(password).takeUnretainedValue().bytes
    guard !bytes.isEmpty, bytes.count <= size else { return -1 }
    UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyBytes(from: bytes)
    return Int32(bytes.count)
}

private func logKey(_ ssl: OpaquePointer?, _ line: UnsafePointer<CChar>?) {
    guard let line else { return }
    TLSContext.of(ssl)?.takeUnretainedValue().appendToKeyLog(line)
}

private func storeSession(_ ssl: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
    guard let ssl, let session, let context = TLSContext.of(ssl) else { return 0 }
    return context.takeUnretainedValue().sessions.store(session, of: ssl) ? 1 : 0
}

extension TLSOptions.Version {
    fileprivate var number: Int32 {
        switch self {
        case .tls12: TLS1_2_VERSION
        case .tls13: TLS1_3_VERSION
        }
    }
}
