import CWebSocketOpenSSL
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// A self-signed certificate for this machine and its key, in files that are removed with this object.
final class ThrowAwayCertificate: Sendable {
    private let folder: String

    var certificateFile: String { "\(folder)/certificate.pem" }
    var keyFile: String { "\(folder)/key.pem" }

    /// Makes a P-256 key and a certificate that is valid for a day.
    init() throws(TransportError) {
        // mkdtemp(3) makes it accessible only to its owner, as the key requires.
        var template = Array("/tmp/websocket-testing-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .invalidArgument("No directory for a certificate can be made in /tmp.")
        }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(TransportError) {
            try write()
        } catch {
            remove()
            throw error
        }
    }

    deinit { remove() }

    private func remove() {
        unlink(certificateFile)
        unlink(keyFile)
        rmdir(folder)
    }

    private func write() throws(TransportError) {
        let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        defer { EVP_PKEY_free(key) }
        try require(EVP_PKEY_keygen_init(context))
        try require(EVP_PKEY_CTX_set_group_name(context, "P-256"))
        try require(EVP_PKEY_generate(context, &key))

        let certificate = X509_new()
        defer { X509_free(certificate) }
        // Version 3 is written as 2.
        try require(X509_set_version(certificate, 2))
        try require(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1))
        // Valid since an hour ago, as clocks may differ.
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3600)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86400)
        try require(X509_set_pubkey(certificate, key))
        let name = X509_get_subject_name(certificate)
        // MBSTRING_UTF8, which Swift doesn't import.
        try require(X509_NAME_add_entry_by_txt(name, "CN", 0x1000, "localhost", -1, -1, 0))
        try require(X509_set_issuer_name(certificate, name))
        try add(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1", to: certificate)
        try add(NID_basic_constraints, "critical,CA:FALSE", to: certificate)
        // The length of the signature, zero on failure.
        try require(min(1, X509_sign(certificate, key, EVP_sha256())))

        try write(to: keyFile) { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        try write(to: certificateFile) { PEM_write_bio_X509($0, certificate) }
    }

    private func add(
        _ kind: Int32,
        _ value: String,
        to certificate: OpaquePointer?
    ) throws(TransportError) {
        let part = X509V3_EXT_conf_nid(nil, nil, kind, value)
        defer { X509_EXTENSION_free(part) }
        guard part != nil else { throw .invalidArgument("OpenSSL made no certificate.") }
        try require(X509_add_ext(certificate, part, -1))
    }

    private func write(
        to file: String,
        _ write: (OpaquePointer?) -> Int32
    ) throws(TransportError) {
        let output = BIO_new_file(file, "w")
        guard output != nil else { throw .invalidArgument("\(file) can't be written.") }
        defer { BIO_free_all(output) }
        try require(write(output))
    }

    private func require(_ result: Int32) throws(TransportError) {
        guard result == 1 else { throw .invalidArgument("OpenSSL made no certificate.") }
    }
}
