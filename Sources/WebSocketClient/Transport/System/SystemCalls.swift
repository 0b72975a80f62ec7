// System calls that several parts of the transport need. Those that belong to one type (sockets,
// poll(2), files, threads) stand there. All of them use `SystemCalls.retrying` to repeat a call that a
// signal interrupts, except waits, whose remaining time changes.

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
#if os(Linux)
    import CWebSocketLinux
#endif

/// Thin wrappers: retry on EINTR, `errno` as a value, no policy.
enum SystemCalls {
    /// Repeats a call as long as a signal interrupts it.
    @inline(__always)
    static func retrying<Value: SignedInteger>(_ call: () -> Value) -> Result<Value, ErrorNumber> {
        while true {
            let value = call()
            if value >= 0 { return .success(value) }
            let error = ErrorNumber.current
            if error != .interrupted { return .failure(error) }
        }
    }

    /// The monotonic clock, which this package's pthread condition variables use too. It can't fail:
    /// the clock exists and the pointer is valid.
    static func monotonicNanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// The time of day, for comparing with dates. It can't fail either.
    static func secondsSince1970() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec)
    }

    /// The time of day in UTC, in RFC 3339's format, to the second.
    static func timestamp() -> String {
        var seconds = time_t(secondsSince1970())
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard let base = text.baseAddress,
                strftime(base, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0
            else { return "\(seconds) s since 1970" }
            return String(cString: base)
        }
    }

    /// Closes once, without a retry: close(2) frees the descriptor even if it is interrupted.
    static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
            _ = Musl.close(descriptor)
        #elseif canImport(Android)
            _ = Android.close(descriptor)
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

    /// Two descriptors, perhaps the same: the first becomes readable when the second is written to.
    static func makeEvent() throws(TransportError) -> (reader: Int32, writer: Int32) {
        #if os(Linux)
            let descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
            guard descriptor >= 0 else { throw .system(call: "eventfd", .current) }
            return (descriptor, descriptor)
        #else
            let ends = try makePipe()
            try setNonBlocking(ends.reader)
            try setNonBlocking(ends.writer)
            return ends
        #endif
    }

    /// A pipe that no program started meanwhile by another thread inherits, where the system has a call
    /// for that.
    static func makePipe() throws(TransportError) -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        #if os(Linux)
            guard pipe2(&ends, O_CLOEXEC) == 0 else { throw .system(call: "pipe2", .current) }
        #else
            guard pipe(&ends) == 0 else { throw .system(call: "pipe", .current) }
            for end in ends { try setCloseOnExec(end) }
        #endif
        return (ends[0], ends[1])
    }

    static func signalEvent(_ writer: Int32) {
        var one: UInt64 = 1
        _ = retrying { write(writer, &one, MemoryLayout.size(ofValue: one)) }
    }

    /// Reads what was written to an event, without blocking.
    static func clearEvent(_ reader: Int32) {
        var bytes: UInt64 = 0
        _ = retrying { read(reader, &bytes, MemoryLayout.size(ofValue: bytes)) }
    }

    /// How many sent bytes the peer's system has not acknowledged; `nil` if unknown.
    static func unacknowledgedBytes(_ descriptor: Int32) -> Int? {
        var count: Int32 = 0
        #if os(Linux)
            guard ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 else { return nil }
        #else
            var length = socklen_t(MemoryLayout.size(ofValue: count))
            guard getsockopt(descriptor, SOL_SOCKET, SO_NWRITE, &count, &length) == 0 else {
                return nil
            }
        #endif
        return Int(count)
    }

    /// The value of an environment variable; `nil` if it is unset, or if the program has more rights
    /// than its user (setuid), who must not choose its proxies, authorities and logs.
    static func environmentVariable(_ name: String) -> String? {
        #if os(Linux)
            secure_getenv(name).map { String(cString: $0) }
        #else
            issetugid() == 0 ? getenv(name).map { String(cString: $0) } : nil
        #endif
    }

    /// Whether a directory has no entries, or can't be read.
    static func isDirectoryEmpty(_ path: String) -> Bool {
        guard let directory = opendir(path) else { return true }
        defer { closedir(directory) }
        // "." and ".." are always there.
        for _ in 0..<3 where readdir(directory) == nil { return true }
        return false
    }
}
