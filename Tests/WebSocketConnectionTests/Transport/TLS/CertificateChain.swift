import CWebSocketOpenSSL
import TestSupport
import Testing

/// Certificates of which each is signed by the next, the last by an authority; all have one key.
struct CertificateChain: ~Copyable {
    private let key: OpaquePointer?
    private let count: Int
    private let beginsIn: Duration

    /// Certificates that are valid for a day from some time on.
    init(count: Int, beginsIn: Duration = .seconds(-3600)) throws {
        self.count = count
        self.beginsIn = beginsIn
        let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        try #require(EVP_PKEY_keygen_init(context) == 1)
        try #require(EVP_PKEY_CTX_set_group_name(context, "P-256") == 1)
        try #require(EVP_PKEY_generate(context, &key) == 1)
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// Writes the chain and its key, and the authority by itself.
    func write(to identity: Certificates.Identity, authority: String) throws {
        try write(to: identity.key) { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
        try write(to: authority) { try writeCertificate(count, to: $0) }
        try write(to: identity.certificate) { file in
            for number in 0..<count {
                guard try writeCertificate(number, to: file) == 1 else { return 0 }
            }
            return 1
        }
    }

    private func write(to path: String, _ body: (OpaquePointer?) throws -> Int32) throws {
        let file = BIO_new_file(path, "w")
        defer { BIO_free_all(file) }
        try #require(try body(file) == 1)
    }

    private func writeCertificate(_ number: Int, to file: OpaquePointer?) throws -> Int32 {
        let certificate = X509_new()
        defer { X509_free(certificate) }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), number + 1)
        let start = number == count ? -3600 : Int(beginsIn.components.seconds)
        X509_gmtime_adj(X509_getm_notBefore(certificate), start)
        X509_gmtime_adj(X509_getm_notAfter(certificate), start + 86400)
        X509_set_pubkey(certificate, key)
        setName("\(number)", in: X509_get_subject_name(certificate))
        setName("\(min(number + 1, count))", in: X509_get_issuer_name(certificate))
        if number == 0 {
            add(NID_subject_alt_name, "DNS:localhost", to: certificate)
        } else {
            add(NID_basic_constraints, "critical,CA:TRUE", to: certificate)
        }
        // The length of the signature.
        try #require(X509_sign(certificate, key, EVP_sha256()) > 0)
        return PEM_write_bio_X509(file, certificate)
    }

    private func setName(_ text: String, in name: OpaquePointer?) {
        // MBSTRING_UTF8, which Swift doesn't import.
        X509_NAME_add_entry_by_txt(name, "CN", 0x1000, text, -1, -1, 0)
    }

    private func add(_ kind: Int32, _ value: String, to certificate: OpaquePointer?) {
        let part = X509V3_EXT_conf_nid(nil, nil, kind, value)
        defer { X509_EXTENSION_free(part) }
        X509_add_ext(certificate, part, -1)
    }
}
