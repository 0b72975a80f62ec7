import CWebSocketOpenSSL

/// The library as a whole.
enum OpenSSL {
    /// To be asked before OpenSSL is used for anything.
    ///
    /// It keeps OpenSSL from freeing its tables at exit(3): other threads may be using them, and the
    /// system takes back all memory anyway.
    static let isReady = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1
}

/// OpenSSL's error queue of the calling thread.
///
/// It is empty whenever this package isn't at work: what it left there would be taken for the error
/// of another user of OpenSSL on the thread.
struct OpenSSLError {
    /// OpenSSL's packed code; 0 if it gave no reason.
    let code: UInt
    let text: String

    /// The first error, which is the cause of the others; empties the queue.
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

    /// For calls that depend on no option and no peer: without memory or algorithms they fail.
    var asLibraryFailure: TLSError { TLSError(.library, reason: text, code: code) }

    /// What is most likely behind a handshake's error whose own words don't say so.
    var hint: String {
        let (library, reason) = ((code >> 23) & 0xff, Int32(truncatingIfNeeded: code & 0x7f_ffff))
        let notTLS = [SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG]
        guard library == UInt(ERR_LIB_SSL), notTLS.contains(reason) else { return "" }
        return "; the other end doesn't seem to speak TLS on this port"
    }
}
