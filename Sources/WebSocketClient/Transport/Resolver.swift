#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Name resolution that can be given up.
///
/// getaddrinfo(3) has no time-out and can't be interrupted, so it runs on a thread of its own. Who
/// stops waiting leaves it behind; its late result is dropped.
package enum Resolver {
    /// The addresses of a host in the system's order of preference (RFC 6724).
    package static func addresses(
        host: String,
        port: UInt16,
        wakeUp: WakeUp,
        until deadline: Deadline
    ) throws(TransportError) -> [SocketAddress] {
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw .invalidArgument("A host name must not be empty or contain NUL.")
        }
        let query = try Query(host: host, port: port)
        if let answer = query.lookUp(flags: AI_NUMERICHOST).success { return answer }
        if wakeUp.isSignalled { throw .aborted }
        try query.start()
        let ready = try Poll.wait(
            for: .read,
            on: query.done.descriptor,
            wakeUp: wakeUp,
            until: deadline
        )
        guard ready != nil else { throw .timedOut(.resolution) }
        return try query.takeAnswer()
    }
}

private final class Query: Sendable {
    let done: WakeUp
    private let host: String
    private let port: UInt16
    private let answer = Locked<Result<[SocketAddress], TransportError>?>(nil)

    init(host: String, port: UInt16) throws(TransportError) {
        done = try WakeUp()
        self.host = host
        self.port = port
    }

    /// Begins to look the name up on a thread of its own.
    func start() throws(TransportError) {
        try Threads.start { [self] in
            let result = lookUp(flags: 0)
            answer.withLock { $0 = result }
            done.signal()
        }
    }

    func takeAnswer() throws(TransportError) -> [SocketAddress] {
        guard let result = answer.withLock({ $0 }) else { return [] }
        return try result.get()
    }

    func lookUp(flags: Int32) -> Result<[SocketAddress], TransportError> {
        var hints = addrinfo()
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        let error = ErrorNumber.current
        guard code == 0 else {
            let text = code == EAI_SYSTEM ? error.description : String(cString: gai_strerror(code))
            return .failure(.addressNotFound(host: host, code: code, text: text))
        }
        defer { freeaddrinfo(list) }
        let entries = sequence(first: list, next: { $0?.pointee.ai_next }).prefix { $0 != nil }
        return .success(
            entries.compactMap { entry in
                guard let info = entry?.pointee, let address = info.ai_addr else { return nil }
                return SocketAddress(address, length: Int(info.ai_addrlen))
            }
        )
    }
}

extension Result {
    fileprivate var success: Success? {
        if case .success(let value) = self { value } else { nil }
    }
}
