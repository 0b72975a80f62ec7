import CWebSocketOpenSSL

/// Makes the records of a TLS 1.3 server that has the keys and sends what it likes: content of any type,
/// empty or not, in any order (RFC 8446 §5.2, §7.1). For TLS_AES_128_GCM_SHA256.
package struct TLSRecordSealer {
    package enum Content: UInt8, CaseIterable, Sendable {
        case changeCipherSpec = 20
        case alert = 21
        case handshake = 22
        case data = 23
    }

    private var secret: [UInt8]
    private var key: [UInt8] = []
    private var nonce: [UInt8] = []
    private var number: UInt64 = 0

    /// Begins with the server's first secret for data, as a key log has it.
    package init(secret: [UInt8]) {
        self.secret = secret
        deriveKeys()
    }

    /// One record; `content` has at most 16,384 bytes. `type` is whatever the record says it is.
    package mutating func seal(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        let plaintext = content + [type]
        let length = plaintext.count + 16
        let header: [UInt8] = [23, 3, 3, UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
        var counter = nonce
        for index in 0..<8 {
            counter[11 - index] ^= UInt8(truncatingIfNeeded: number >> (8 * index))
        }
        number += 1
        return header + encrypt(plaintext, counter, header)
    }

    package mutating func seal(_ type: Content, _ content: [UInt8] = []) -> [UInt8] {
        seal(type.rawValue, content)
    }

    /// A key update, behind which the next keys hold (§4.6.3).
    package mutating func sealKeyUpdate(asksForOne: Bool = false) -> [UInt8] {
        let record = seal(.handshake, [24, 0, 0, 1, asksForOne ? 1 : 0])
        secret = expand("traffic upd", 32)
        deriveKeys()
        return record
    }

    /// A session ticket for a year (§4.6.1), too short for any session.
    package mutating func sealTicket() -> [UInt8] {
        let body: [UInt8] = [0, 0, 0x70, 0x80, 1, 2, 3, 4, 1, 7, 0, 4, 1, 2, 3, 4, 0, 0]
        return seal(.handshake, [4, 0, 0, UInt8(body.count)] + body)
    }

    private mutating func deriveKeys() {
        (key, nonce, number) = (expand("key", 16), expand("iv", 12), 0)
    }

    /// HKDF-Expand-Label without context, for at most 32 bytes: one block of HMAC (RFC 5869 §2.3).
    private func expand(_ label: String, _ count: Int) -> [UInt8] {
        let label = Array("tls13 \(label)".utf8)
        let info = [0, UInt8(count), UInt8(label.count)] + label + [0, 1]
        var block = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        HMAC(EVP_sha256(), secret, Int32(secret.count), info, info.count, &block, &length)
        return Array(block[..<count])
    }

    private func encrypt(_ plaintext: [UInt8], _ nonce: [UInt8], _ header: [UInt8]) -> [UInt8] {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var count: Int32 = 0
        var output = [UInt8](repeating: 0, count: plaintext.count)
        var tag = [UInt8](repeating: 0, count: 16)
        EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, key, nonce)
        EVP_EncryptUpdate(context, nil, &count, header, Int32(header.count))
        EVP_EncryptUpdate(context, &output, &count, plaintext, Int32(plaintext.count))
        EVP_EncryptFinal_ex(context, nil, &count)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
        return output + tag
    }
}
