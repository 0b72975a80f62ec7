import TestSupport
import WebSocketClient

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

/// Processor time of this process so far, in milliseconds.
func processorTime() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return seconds * 1000 + (Int(usage.ru_utime.tv_usec) + Int(usage.ru_stime.tv_usec)) / 1000
}

/// Lets this process, and those it starts, open `count` descriptors.
func raiseDescriptorLimit(to count: Int) throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    try require(
        Int(clamping: limit.rlim_cur) >= count,
        "\(count) descriptors are needed, and \(limit.rlim_cur) allowed"
    )
}

func require(_ isKept: Bool, _ promise: @autoclosure () -> String) throws {
    guard isKept else { throw SupportError(promise()) }
}

/// For servers of this machine.
func localOptions() -> ConnectOptions {
    var options = ConnectOptions(timeout: .seconds(120))
    options.proxy = .none
    options.cookieJar = nil
    return options
}

extension Promise {
    /// Waits for the value without blocking a thread.
    func awaited() async throws -> Value {
        let limit = ContinuousClock.now + .seconds(120)
        while !isFulfilled, ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(2))
        }
        return try value(within: .milliseconds(1))
    }
}

/// A message that begins with its number and is checked by the rest.
func numbered(_ number: Int, size: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
    for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * index)) }
    return bytes
}

/// The number of a message; `nil` if it isn't whole.
func number(_ message: [UInt8]) -> Int? {
    guard message.count >= 6 else { return nil }
    let number = message[..<4].reduce(0) { $0 << 8 | Int($1) }
    let isWhole = message.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return false }
        // Each byte of the filler is the one before it.
        return bytes[4] == UInt8(truncatingIfNeeded: number)
            && memcmp(start + 4, start + 5, bytes.count - 5) == 0
    }
    return isWhole ? number : nil
}
