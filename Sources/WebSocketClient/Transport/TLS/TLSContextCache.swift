/// The contexts of recent connections, as loading the authorities takes longer than a handshake.
///
/// Connections with equal options share a context, and through it the sessions to resume. When the
/// files of authorities or certificates have changed, which their dates show, a new context is made.
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
            // The most recently used come last.
            list.append(list.remove(at: index))
            return list.last?.context
        }
        if let known { return known }
        let context = try TLSContext(options)
        return contexts.withLock { list in
            // Another thread may have been faster. With two equal contexts, each would have half of the
            // sessions.
            if let other = list.first(where: { $0.key == key }) { return other.context }
            if list.count >= limit { list.removeFirst() }
            list.append((key, context))
            return context
        }
    }
}
