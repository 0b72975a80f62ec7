/// Contexts of recent connections: loading the authorities takes longer than a handshake.
///
/// Connections with equal options share one, and through it the sessions to resume. Authorities and
/// certificates that were changed since make a new one, recognised by the files' dates.
enum TLSContextCache {
    private struct Key: Hashable {
        let options: TLSOptions
        let trust: TrustAnchors
        let keyLog: String?
        let stamps: [FileStamp?]
    }

    private static let limit = 32
    private static let contexts = Locked<[(key: Key, context: TLSContext)]>([])

    static func context(for options: TLSOptions) throws(TransportError) -> TLSContext {
        let trust = try TrustAnchors(options)
        let certificate = options.clientCertificate
        let paths =
            [certificate?.certificateFile, certificate?.keyFile].compactMap(\.self) + trust.paths
        let key = Key(
            options: options,
            trust: trust,
            keyLog: SystemCalls.environmentVariable("SSLKEYLOGFILE"),
            stamps: paths.map(FileStamp.init(path:))
        )
        let known = contexts.withLock { list -> TLSContext? in
            guard let index = list.firstIndex(where: { $0.key == key }) else { return nil }
            // The last used stand last.
            list.append(list.remove(at: index))
            return list.last?.context
        }
        if let known { return known }
        let context = try TLSContext(options)
        return contexts.withLock { list in
            // Another thread may have been faster. Of two equal ones, each would have half of the
            // sessions.
            if let other = list.first(where: { $0.key == key }) { return other.context }
            if list.count >= limit { list.removeFirst() }
            list.append((key, context))
            return context
        }
    }
}
