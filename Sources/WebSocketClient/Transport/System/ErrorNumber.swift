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
    static let outOfMemory = ErrorNumber(rawValue: ENOMEM)
    static let interrupted = ErrorNumber(rawValue: EINTR)

    /// Whether the call would have had to wait.
    var isWouldBlock: Bool { rawValue == EAGAIN || rawValue == EWOULDBLOCK }

    /// Whether descriptors or memory have run out for now.
    var isShortage: Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(rawValue) }
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
