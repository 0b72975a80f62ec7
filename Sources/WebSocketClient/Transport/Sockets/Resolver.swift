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

/// Name resolution that can be abandoned.
///
/// getaddrinfo(3) has no time-out and can't be interrupted, so it runs on a thread of its own, and a
/// caller that stops waiting leaves it behind. Callers that look up the same name at the same time
/// share one look-up: an unresponsive resolver holds one thread for each name, however often an app
/// that reconnects tries it.
package enum Resolver {
    /// The blocking call that asks the system.
    typealias LookUp =
        @Sendable (
            _ host: String, _ port: UInt16, _ flags: Int32
        ) -> Result<[SocketAddress], TransportError>

    private static let system = LookUps(askSystem)

    /// The addresses of a host in the system's order of preference (RFC 6724).
    package static func addresses(
        host: String,
        port: UInt16,
        wakeUp: WakeUp,
        until deadline: Deadline
    ) throws(TransportError) -> [SocketAddress] {
        try addresses(host: host, port: port, wakeUp: wakeUp, until: deadline, by: system)
    }

    static func addresses(
        host: String,
        port: UInt16,
        wakeUp: WakeUp,
        until deadline: Deadline,
        by lookUps: LookUps
    ) throws(TransportError) -> [SocketAddress] {
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw .invalidArgument("A host name must not be empty or contain NUL.")
        }
        if let answer = lookUps.lookUp(host, port, AI_NUMERICHOST).success { return answer }
        if wakeUp.isSignalled { throw .aborted }
        let query = try lookUps.query(host, port)
        let ready = try Poll.wait(
            for: .read,
            on: query.done.descriptor,
            wakeUp: wakeUp,
            until: deadline
        )
        guard ready != nil else { throw .timedOut(.resolution) }
        return try query.takeAnswer()
    }

    private static func askSystem(
        host: String,
        port: UInt16,
        flags: Int32
    ) -> Result<[SocketAddress], TransportError> {
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

/// The look-ups under way, one for each name and port.
final class LookUps: Sendable {
    private struct Question: Hashable {
        let host: String
        let port: UInt16
    }

    let lookUp: Resolver.LookUp
    private let running = Locked<[Question: Query]>([:])

    init(_ lookUp: @escaping Resolver.LookUp) {
        self.lookUp = lookUp
    }

    /// The query for a name that is under way, or a new one.
    func query(_ host: String, _ port: UInt16) throws(TransportError) -> Query {
        let question = Question(host: host, port: port)
        return try running.withLock { running throws(TransportError) in
            // A forked child has its parent's queries, and no thread that answers them.
            if let query = running[question], query.process.isCurrent { return query }
            let query = try Query()
            try Threads.start { [self] in
                let answer = lookUp(host, port, 0)
                self.running.withLock { $0[question] = nil }
                query.finish(answer)
            }
            running[question] = query
            return query
        }
    }
}

/// A question to the system, for all callers that wait for its answer.
final class Query: Sendable {
    let process = ProcessGeneration.current
    let done: WakeUp
    private let answer = Locked<Result<[SocketAddress], TransportError>?>(nil)

    init() throws(TransportError) {
        done = try WakeUp()
    }

    func finish(_ result: Result<[SocketAddress], TransportError>) {
        answer.withLock { $0 = result }
        done.signal()
    }

    func takeAnswer() throws(TransportError) -> [SocketAddress] {
        guard let result = answer.withLock({ $0 }) else { return [] }
        return try result.get()
    }
}

extension Result {
    fileprivate var success: Success? {
        if case .success(let value) = self { value } else { nil }
    }
}
