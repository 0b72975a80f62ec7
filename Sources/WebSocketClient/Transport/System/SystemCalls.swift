// Every system call of the package goes through this folder, and every interrupted one is repeated
// in one place: `SystemCalls.retrying`.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
#if os(Linux)
    import CWebSocketLinux
#endif

/// An error number of the operating system.
package struct ErrorNumber: RawRepresentable, Error, Sendable, Hashable {
    package let rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The calling thread's `errno`.
    static var current: ErrorNumber { ErrorNumber(rawValue: errno) }

    package static let brokenPipe = ErrorNumber(rawValue: EPIPE)
    package static let connectionRefused = ErrorNumber(rawValue: ECONNREFUSED)
    package static let connectionReset = ErrorNumber(rawValue: ECONNRESET)
    static let badDescriptor = ErrorNumber(rawValue: EBADF)
    static let inProgress = ErrorNumber(rawValue: EINPROGRESS)
    static let interrupted = ErrorNumber(rawValue: EINTR)

    /// Whether the call would have had to wait.
    var isWouldBlock: Bool { rawValue == EAGAIN || rawValue == EWOULDBLOCK }
}

extension ErrorNumber: CustomStringConvertible {
    /// The system's own words, such as "Connection refused".
    package var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            guard let base = text.baseAddress, strerror_r(rawValue, base, text.count) == 0 else {
                return "error \(rawValue)"
            }
            return String(cString: base)
        }
    }
}

/// Thin wrappers: retry on EINTR, `errno` as a value, no policy.
enum SystemCalls {
    /// Makes a call again as long as a signal interrupts it.
    @inline(__always)
    static func retrying<Value: SignedInteger>(_ call: () -> Value) -> Result<Value, ErrorNumber> {
        while true {
            let value = call()
            if value >= 0 { return .success(value) }
            let error = ErrorNumber.current
            if error != .interrupted { return .failure(error) }
        }
    }

    /// The monotonic clock, the one that pthread condition variables here wait by.
    static func monotonicNanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// The time of day, for what comes with a date.
    static func secondsSince1970() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec)
    }

    static func timespecification(nanoseconds: Int64) -> timespec {
        timespec(
            tv_sec: time_t(nanoseconds / 1_000_000_000),
            tv_nsec: Int(nanoseconds % 1_000_000_000)
        )
    }

    /// Closes once: the descriptor is free after close(2) even if that was interrupted.
    static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
            _ = Musl.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }

    static func setNonBlocking(_ descriptor: Int32) throws(TransportError) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0 else {
            throw .system(call: "fcntl", .current)
        }
    }

    static func setBlocking(_ descriptor: Int32) -> Bool {
        let flags = fcntl(descriptor, F_GETFL)
        return flags >= 0 && fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) >= 0
    }

    static func setCloseOnExec(_ descriptor: Int32) throws(TransportError) {
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) >= 0 else {
            throw .system(call: "fcntl", .current)
        }
    }

    /// A descriptor that becomes readable with the first write to the other, which may be the same.
    static func makeEvent() throws(TransportError) -> (reader: Int32, writer: Int32) {
        #if os(Linux)
            let descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
            guard descriptor >= 0 else { throw .system(call: "eventfd", .current) }
            return (descriptor, descriptor)
        #else
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { throw .system(call: "pipe", .current) }
            for end in ends {
                try setCloseOnExec(end)
                try setNonBlocking(end)
            }
            return (ends[0], ends[1])
        #endif
    }

    static func signalEvent(_ writer: Int32) {
        var one: UInt64 = 1
        _ = retrying { write(writer, &one, MemoryLayout.size(ofValue: one)) }
    }

    /// Takes what was written to an event; it blocks no more than `makeEvent`'s descriptors do.
    static func clearEvent(_ reader: Int32) {
        var bytes: UInt64 = 0
        _ = retrying { read(reader, &bytes, MemoryLayout.size(ofValue: bytes)) }
    }

    /// How many sent bytes the peer's system has not acknowledged; 0 if that is not known.
    static func unacknowledgedBytes(_ descriptor: Int32) -> Int {
        var count: Int32 = 0
        #if os(Linux)
            guard ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 else { return 0 }
        #else
            var length = socklen_t(MemoryLayout.size(ofValue: count))
            guard getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &count, &length) == 0 else {
                return 0
            }
        #endif
        return Int(count)
    }

    /// The value of an environment variable; `nil` if it is unset.
    static func environmentVariable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// Random bytes from the kernel's generator.
package enum RandomBytes {
    /// Fills `buffer`; waits only before the generator's first seeding at boot.
    package static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(TransportError) {
        #if os(Linux)
            var rest = buffer
            while let base = rest.baseAddress, !rest.isEmpty {
                switch SystemCalls.retrying({ getrandom(base, rest.count, 0) }) {
                case .success(let count):
                    rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
                case .failure(let error): throw .system(call: "getrandom", error)
                }
            }
        #else
            if let base = buffer.baseAddress { arc4random_buf(base, buffer.count) }
        #endif
    }
}
