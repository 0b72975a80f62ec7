import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Standard input and output as a terminal, or not.
enum Terminal {
    static let errorOutput = STDERR_FILENO

    static var hasInput: Bool { isatty(STDIN_FILENO) == 1 }
    static var hasOutput: Bool { isatty(STDOUT_FILENO) == 1 }
    static var hasErrorOutput: Bool { isatty(errorOutput) == 1 }

    /// Whether it moves the cursor as it is told.
    static var isCapable: Bool { variable("TERM") != "dumb" }

    /// Whether to use colours (https://no-color.org).
    static var allowsColour: Bool { (variable("NO_COLOR") ?? "").isEmpty }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Whether a file can be read.
    static func canRead(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// How many columns fit on a line.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes all of it; what nobody can read any more is dropped.
    static func write(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
        var text = text
        text.withUTF8 { bytes in
            var position = 0
            while position < bytes.count {
                let count = systemWrite(
                    descriptor,
                    bytes.baseAddress.map { $0 + position },
                    bytes.count - position
                )
                if count >= 0 {
                    position += count
                } else if errno == EAGAIN {
                    // Another program has made the terminal, which is shared, non-blocking.
                    var entries = [PollEntry(descriptor, for: .write)]
                    _ = try? Poll.wait(for: &entries, wakeUp: nil, until: .never)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }

    /// Takes what standard input has; `nil` at its end.
    static func read() -> [UInt8]? {
        var failure = false
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            while true {
                let result = systemRead(STDIN_FILENO, buffer.baseAddress, buffer.count)
                if result < 0, errno == EINTR || errno == EAGAIN { continue }
                failure = result < 0
                count = max(0, result)
                return
            }
        }
        return failure || bytes.isEmpty ? nil : bytes
    }

    /// Gets keys one by one and unechoed, until ``restore(_:)``.
    static func enterRawMode() -> termios? {
        var former = termios()
        guard tcgetattr(STDIN_FILENO, &former) == 0 else { return nil }
        var mode = former
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
        mode.c_iflag &= ~tcflag_t(IXON | ICRNL)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0 else { return nil }
        return former
    }

    static func restore(_ former: termios) {
        var former = former
        tcsetattr(STDIN_FILENO, TCSADRAIN, &former)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

private func systemRead(
    _ descriptor: Int32,
    _ bytes: UnsafeMutablePointer<UInt8>?,
    _ count: Int
) -> Int {
    read(descriptor, bytes, count)
}
