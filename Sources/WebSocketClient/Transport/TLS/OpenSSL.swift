import CWebSocketOpenSSL

/// OpenSSL's state in this process.
enum OpenSSL {
    /// To be checked before OpenSSL is used for anything.
    ///
    /// It keeps OpenSSL from freeing its tables at exit(3): other threads may be using them, and the
    /// system takes back all memory anyway.
    static let isReady = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1
}

/// OpenSSL's error queue of the calling thread.
///
/// It is left empty whenever this package isn't at work: errors left in it would be attributed to other
/// users of OpenSSL on the thread.
struct OpenSSLError {
    /// OpenSSL's packed code; 0 if it gave no reason.
    let code: UInt
    let text: String

    /// Returns the first error, which caused the others, and empties the queue.
    static func take() -> OpenSSLError {
        let code = ERR_get_error()
        defer { ERR_clear_error() }
        guard code != 0 else { return OpenSSLError(code: 0, text: "no reason given") }
        // The top bit of the lower half marks an errno.
        if code & 0x8000_0000 != 0 {
            let number = ErrorNumber(rawValue: Int32(truncatingIfNeeded: code & 0x7fff_ffff))
            return OpenSSLError(code: code, text: "\(number)")
        }
        let words = ERR_reason_error_string(code).map { String(cString: $0) }
        return OpenSSLError(code: code, text: words ?? "error \(code)")
    }

    /// For calls that depend on neither options nor peers, and fail only for lack of memory or an
    /// algorithm.
    var asLibraryFailure: TLSError { TLSError(.library, reason: text, code: code) }

    /// The likely cause of a handshake error whose own text is misleading.
    var hint: String {
        let (library, reason) = ((code >> 23) & 0xff, Int32(truncatingIfNeeded: code & 0x7f_ffff))
        let notTLS = [SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG]
        guard library == UInt(ERR_LIB_SSL), notTLS.contains(reason) else { return "" }
        return "; the other end doesn't seem to speak TLS on this port"
    }
}
