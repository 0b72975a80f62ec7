/// Which authorities are trusted.
enum TrustAnchors: Hashable {
    case system
    case files(file: String?, directory: String?)

    /// The options' own, or those of the environment, or the system's.
    init(_ options: TLSOptions) throws(TransportError) {
        let (file, directory) = (
            options.certificateAuthorityFile, options.certificateAuthorityDirectory
        )
        guard file == nil, directory == nil else {
            if let directory, FileStamp(path: directory)?.isDirectory != true {
                throw .tls(TLSFailure(.configuration, reason: "\(directory) is no directory"))
            }
            self = .files(file: file, directory: directory)
            return
        }
        let variable = "WEBSOCKET_CLIENT_CA_BUNDLE"
        guard let path = SystemCalls.environmentVariable(variable), !path.isEmpty else {
            self = .system
            return
        }
        guard let stamp = FileStamp(path: path) else {
            // Not the system's authorities: somebody has meant to trust fewer than those.
            throw .tls(
                TLSFailure(.configuration, reason: "\(variable) names \(path), which isn't there")
            )
        }
        self =
            stamp.isDirectory
            ? .files(file: nil, directory: path) : .files(file: path, directory: nil)
    }
}

/// Contexts of recent connections: loading the authorities takes longer than a handshake.
///
/// Connections with equal options share one, and through it the sessions to resume.
/// A certificate file that was replaced since makes a new one.
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
        var paths = [
            options.clientCertificate?.certificateFile, options.clientCertificate?.keyFile,
        ]
        if case .files(let file, _) = trust { paths.append(file) }
        let key = Key(
            options: options,
            trust: trust,
            keyLog: SystemCalls.environmentVariable("SSLKEYLOGFILE"),
            stamps: paths.map { $0.flatMap(FileStamp.init(path:)) }
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
