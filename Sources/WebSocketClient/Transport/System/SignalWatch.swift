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

/// Calls a function whenever the process gets a signal, until the watch is released; then the signal
/// has its former effect again.
///
/// The handler writes the signal's number into a pipe, and a thread reads it there and calls the
/// functions, which may therefore do anything.
///
/// A child made by fork(2) has neither that thread nor a pipe of its own: there, the signal has its
/// former effect, and new watches start a thread of their own.
package final class SignalWatch: Sendable {
    private typealias Body = (number: Int32, body: @Sendable () -> Void)

    private struct Watches {
        var bodies: [Int: Body] = [:]
        var lastToken = 0
        /// The process whose thread reads the pipe; 0 before there is one.
        var process: pid_t = 0
        var pipe: (reader: Int32, writer: Int32) = (-1, -1)

        func areThere(for number: Int32) -> Bool {
            bodies.values.contains { $0.number == number }
        }
    }

    private static let watches = Locked(Watches())
    private let token: Int
    private let number: Int32

    package init(
        _ number: Int32,
        _ body: @escaping @Sendable () -> Void
    ) throws(TransportError) {
        self.number = number
        // Functions are released outside the lock, as releasing what they capture may run any code.
        let inherited: [Int: Body]
        (token, inherited) = try Self.watches.withLock { watches throws(TransportError) in
            let inherited = Self.takeInherited(&watches)
            try Self.startReading(&watches)
            if !watches.areThere(for: number) { try SignalHandler.install(number) }
            watches.lastToken += 1
            watches.bodies[watches.lastToken] = (number, body)
            return (watches.lastToken, inherited)
        }
        withExtendedLifetime(inherited) {}
    }

    deinit {
        let former = Self.watches.withLock { watches in
            let former = watches.bodies.removeValue(forKey: token)
            if former != nil, !watches.areThere(for: number) { SignalHandler.restore(number) }
            return former
        }
        withExtendedLifetime(former) {}
    }

    /// In a child made by fork(2), removes the parent's watches.
    private static func takeInherited(_ watches: inout Watches) -> [Int: Body] {
        guard watches.process != 0, watches.process != getpid() else { return [:] }
        let bodies = watches.bodies
        for number in Set(bodies.values.map(\.number)) { SignalHandler.restore(number) }
        SystemCalls.close(watches.pipe.reader)
        SystemCalls.close(watches.pipe.writer)
        watches.bodies = [:]
        watches.process = 0
        return bodies
    }

    private static func startReading(_ watches: inout Watches) throws(TransportError) {
        guard watches.process == 0 else { return }
        let pipe = try SystemCalls.makePipe()
        do throws(TransportError) {
            try SystemCalls.setNonBlocking(pipe.writer)
            try Threads.start { read(from: pipe.reader) }
        } catch {
            SystemCalls.close(pipe.reader)
            SystemCalls.close(pipe.writer)
            throw error
        }
        watches.pipe = pipe
        watches.process = getpid()
        SignalHandler.write(to: pipe.writer)
    }

    private static func read(from descriptor: Int32) {
        var byte: UInt8 = 0
        while case .success(1) = SystemCalls.retrying({ systemRead(descriptor, &byte, 1) }) {
            let bodies = watches.withLock { watches in
                watches.bodies.sorted { $0.key < $1.key }.map(\.value)
            }
            for (number, body) in bodies where number == Int32(byte) { body() }
        }
    }
}

/// The signal handler and the data that it reads: a handler can't take a lock, so
/// everything is written before the handler is installed.
private enum SignalHandler {
    private struct Facts {
        /// Where to write.
        var writer: Int32 = -1
        /// The process that the pipe belongs to.
        var process: pid_t = 0
    }

    // Unchecked, as a handler may run on any thread at any time: the pipe changes only before a process
    // installs its first handler, and a signal's former effect only while the signal has no handler
    // here.
    nonisolated(unsafe) private static let facts: UnsafeMutablePointer<Facts> = {
        let facts = UnsafeMutablePointer<Facts>.allocate(capacity: 1)
        facts.initialize(to: Facts())
        return facts
    }()
    nonisolated(unsafe) private static let former: UnsafeMutablePointer<sigaction> = {
        let former = UnsafeMutablePointer<sigaction>.allocate(capacity: signalCount)
        former.initialize(repeating: sigaction(), count: signalCount)
        return former
    }()

    private static let signalCount = 128

    /// Lets the handlers write into this process's pipe.
    static func write(to writer: Int32) {
        facts.pointee = Facts(writer: writer, process: getpid())
    }

    static func install(_ number: Int32) throws(TransportError) {
        guard (1..<Int32(signalCount)).contains(number) else {
            throw .invalidArgument("No signal has the number \(number).")
        }
        var action = sigaction()
        action.setHandler { number in
            // Only async-signal-safe calls.
            let error = errno
            if getpid() == SignalHandler.facts.pointee.process {
                var byte = UInt8(truncatingIfNeeded: number)
                _ = systemWrite(SignalHandler.facts.pointee.writer, &byte, 1)
            } else {
                // It has come to a child made by fork(2), where it has its former effect.
                sigaction(number, SignalHandler.former + Int(number), nil)
                raise(number)
            }
            errno = error
        }
        action.sa_flags = Int32(SA_RESTART)
        guard sigaction(number, nil, former + Int(number)) == 0,
            sigaction(number, &action, nil) == 0
        else { throw .system(call: "sigaction", .current) }
    }

    static func restore(_ number: Int32) {
        sigaction(number, former + Int(number), nil)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int
{
    read(descriptor, bytes, count)
}

extension sigaction {
    fileprivate mutating func setHandler(_ handler: @escaping @convention(c) (Int32) -> Void) {
        #if canImport(Glibc)
            __sigaction_handler.sa_handler = handler
        #elseif canImport(Musl)
            __sa_handler.sa_handler = handler
        #elseif canImport(Android)
            sa_handler = handler
        #else
            __sigaction_u.__sa_handler = handler
        #endif
    }
}
