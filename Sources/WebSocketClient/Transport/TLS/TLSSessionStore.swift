import CWebSocketOpenSSL

/// Sessions to resume: each peer's newest, for connections with the same options.
final class TLSSessionStore: Sendable {
    /// A session, with a counted reference of its own.
    private struct Session: ~Copyable, @unchecked Sendable {
        let pointer: OpaquePointer

        deinit { SSL_SESSION_free(pointer) }
    }

    private final class Entry: Sendable {
        let session: Session

        init(_ pointer: OpaquePointer) {
            session = Session(pointer: pointer)
        }
    }

    /// A client that talks to more hosts than this gains little by resumption.
    private static let limit = 256

    private let entries = Locked<[String: Entry]>([:])

    /// Offers the peer's session to the handshake, and notes the peer whose new sessions will come;
    /// `peer` must outlive the connection.
    func prepare(_ ssl: OpaquePointer, for peer: TLSPeer) {
        let owner = Unmanaged.passUnretained(peer)
        SSL_set_ex_data(ssl, TLSSessionStore.ownerIndex, owner.toOpaque())
        guard let entry = take(peer.sessionKey) else { return }
        SSL_set_session(ssl, entry.session.pointer)
    }

    /// Keeps a session that the server has offered; false if its peer is unknown.
    func store(_ session: OpaquePointer, of ssl: OpaquePointer) -> Bool {
        guard let pointer = SSL_get_ex_data(ssl, TLSSessionStore.ownerIndex) else { return false }
        let peer = Unmanaged<TLSPeer>.fromOpaque(pointer).takeUnretainedValue()
        let entry = Entry(session)
        entries.withLock {
            if $0.count >= TLSSessionStore.limit { $0.removeAll() }
            $0[peer.sessionKey] = entry
        }
        return true
    }

    /// TLS 1.3 tickets are for one use: "clients SHOULD NOT reuse a ticket" (RFC 8446 appendix C.4).
    private func take(_ key: String) -> Entry? {
        entries.withLock {
            guard let entry = $0[key] else { return nil }
            if SSL_SESSION_get_protocol_version(entry.session.pointer) == TLS1_3_VERSION {
                $0[key] = nil
            }
            return entry
        }
    }

    private static let ownerIndex = shim_SSL_new_index()
}
