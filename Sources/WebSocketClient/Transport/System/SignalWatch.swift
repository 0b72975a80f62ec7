#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Calls a function whenever the process gets a signal, until the watch is gone; then the signal has
/// its former effect again.
///
/// The handler writes the signal's number into a pipe, and a thread that reads it calls who watches:
/// so the function may do anything.
package final class SignalWatch: Sendable {
    private struct Watches {
        var bodies: [Int: (number: Int32, body: @Sendable () -> Void)] = [:]
        var former: [Int32: sigaction] = [:]
        var lastToken = 0
        var isReading = false
    }

    private static let watches = Locked(Watches())
    private let token: Int
    private let number: Int32

    package init(
        _ number: Int32,
        _ body: @escaping @Sendable () -> Void
    ) throws(TransportError) {
        self.number = number
        token = try Self.watches.withLock { watches throws(TransportError) in
            try Self.startReading(&watches)
            if watches.former[number] == nil {
                watches.former[number] = try Self.install(number)
            }
            watches.lastToken += 1
            watches.bodies[watches.lastToken] = (number, body)
            return watches.lastToken
        }
    }

    deinit {
        Self.watches.withLock { watches in
            watches.bodies[token] = nil
            guard !watches.bodies.values.contains(where: { $0.number == number }),
                var former = watches.former.removeValue(forKey: number)
            else { return }
            sigaction(number, &former, nil)
        }
    }

    private static func install(_ number: Int32) throws(TransportError) -> sigaction {
        var action = sigaction()
        var former = sigaction()
        action.setHandler { number in
            // Only what is safe in a signal handler: one write.
            let former = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(signalPipe.writing, &byte, 1)
            errno = former
        }
        action.sa_flags = Int32(SA_RESTART)
        guard sigaction(number, &action, &former) == 0 else {
            throw .system(call: "sigaction", .current)
        }
        return former
    }

    private static func startReading(_ watches: inout Watches) throws(TransportError) {
        guard !watches.isReading else { return }
        guard signalPipe.reading >= 0 else { throw .system(call: "pipe", .current) }
        try SystemCalls.setCloseOnExec(signalPipe.reading)
        try SystemCalls.setCloseOnExec(signalPipe.writing)
        try SystemCalls.setNonBlocking(signalPipe.writing)
        try Threads.start {
            var byte: UInt8 = 0
            while case .success(1) = SystemCalls.retrying({ read(signalPipe.reading, &byte, 1) }) {
                let bodies = Self.watches.withLock { watches in
                    watches.bodies.sorted { $0.key < $1.key }.map(\.value)
                }
                for (number, body) in bodies where number == Int32(byte) { body() }
            }
        }
        watches.isReading = true
    }
}

/// From the handler to the thread; made before the first handler is installed.
private let signalPipe: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, -1) }
    return (ends[0], ends[1])
}()

extension sigaction {
    fileprivate mutating func setHandler(_ handler: @escaping @convention(c) (Int32) -> Void) {
        #if canImport(Glibc)
            __sigaction_handler.sa_handler = handler
        #elseif canImport(Musl)
            __sa_handler.sa_handler = handler
        #else
            __sigaction_u.__sa_handler = handler
        #endif
    }
}
