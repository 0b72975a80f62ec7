import CWebSocketOpenSSL

/// The ciphertext on both sides of OpenSSL: received bytes, and bytes to send.
final class TLSCiphertext {
    /// The most that is collected for a peer that doesn't read: otherwise requests to renegotiate, each
    /// answered by an alert, with a byte of data between them, would fill the memory.
    static let outputLimit = 1 << 20

    var input = TLSBuffer()
    var output = TLSBuffer()
    /// How many handshake messages have come since the last data.
    var messageCount = 0

    var isOverMessageLimit: Bool { messageCount > TLSEngine.messageLimit }

    /// Has OpenSSL report each message of `ssl`, which must not outlive this object.
    func countMessages(of ssl: OpaquePointer) {
        SSL_set_msg_callback(ssl, countMessage)
        SSL_ctrl(
            ssl,
            SSL_CTRL_SET_MSG_CALLBACK_ARG,
            0,
            Unmanaged.passUnretained(self).toOpaque()
        )
    }
}

private func countMessage(
    _ isWritten: Int32,
    _ version: Int32,
    _ contentType: Int32,
    _ message: UnsafeRawPointer?,
    _ length: Int,
    _ ssl: OpaquePointer?,
    _ ciphertext: UnsafeMutableRawPointer?
) {
    guard isWritten == 0, contentType == SSL3_RT_HANDSHAKE, let ciphertext else { return }
    Unmanaged<TLSCiphertext>.fromOpaque(ciphertext)._withUnsafeGuaranteedRef {
        $0.messageCount += 1
    }
}

/// OpenSSL's access to the ciphertext: a BIO that reads and writes memory, never a socket.
///
/// So no system call, and no SIGPIPE, happens inside OpenSSL; records are collected, and one send(2)
/// carries many.
enum TLSMemoryBIO {
    /// A BIO on `ciphertext`, which must outlive it; `nil` if out of memory.
    static func make(_ ciphertext: TLSCiphertext) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(ciphertext).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    // Unsafe in name only: set once, and then only read.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(kind, "memory") else { return nil }
        BIO_meth_set_read_ex(method, read)
        BIO_meth_set_write_ex(method, write)
        BIO_meth_set_ctrl(method, control)
        return method
    }()
}

private func read(
    _ bio: OpaquePointer?,
    _ destination: UnsafeMutablePointer<CChar>?,
    _ wanted: Int,
    _ moved: UnsafeMutablePointer<Int>?
) -> Int32 {
    shim_BIO_clear_retry_flags(bio)
    guard let data = BIO_get_data(bio), let destination, let moved else { return 0 }
    return Unmanaged<TLSCiphertext>.fromOpaque(data)._withUnsafeGuaranteedRef { ciphertext in
        // OpenSSL processes message after message by itself; without input it stops.
        let count = ciphertext.isOverMessageLimit ? 0 : min(wanted, ciphertext.input.count)
        guard count > 0 else {
            shim_BIO_set_retry_read(bio)
            return 0
        }
        UnsafeMutableRawBufferPointer(start: destination, count: count)
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: ciphertext.input.bytes[..<count]))
        ciphertext.input.removeFirst(count)
        moved.pointee = count
        return 1
    }
}

private func write(
    _ bio: OpaquePointer?,
    _ source: UnsafePointer<CChar>?,
    _ count: Int,
    _ moved: UnsafeMutablePointer<Int>?
) -> Int32 {
    shim_BIO_clear_retry_flags(bio)
    guard let data = BIO_get_data(bio), let source, let moved else { return 0 }
    return Unmanaged<TLSCiphertext>.fromOpaque(data)._withUnsafeGuaranteedRef { ciphertext in
        guard ciphertext.output.count < TLSCiphertext.outputLimit else {
            shim_BIO_set_retry_write(bio)
            return 0
        }
        ciphertext.output.append(UnsafeRawBufferPointer(start: source, count: count))
        moved.pointee = count
        return 1
    }
}

/// Flushing succeeds, as there is nothing to flush; other requests are unknown.
private func control(
    _ bio: OpaquePointer?,
    _ command: Int32,
    _ argument: Int,
    _ pointer: UnsafeMutableRawPointer?
) -> Int {
    command == BIO_CTRL_FLUSH ? 1 : 0
}
