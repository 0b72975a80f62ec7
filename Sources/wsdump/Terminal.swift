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

/// The properties of standard input and output as a terminal.
enum Terminal {
    static let errorOutput = STDERR_FILENO

    static var hasInput: Bool { isatty(STDIN_FILENO) == 1 }
    static var hasOutput: Bool { isatty(STDOUT_FILENO) == 1 }
    static var hasErrorOutput: Bool { isatty(errorOutput) == 1 }

    /// Whether it obeys escape sequences.
    static var isCapable: Bool { variable("TERM") != "dumb" }

    /// Whether to use colours (https://no-color.org).
    static var allowsColour: Bool { (variable("NO_COLOR") ?? "").isEmpty }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Whether a file can be read.
    static func canRead(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// How many columns fit on a row of standard output, or of another descriptor.
    static func width(of descriptor: Int32 = STDOUT_FILENO) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes all of it; if the reader has gone, the output is dropped.
    static func write(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
        var text = text
        text.withUTF8 { bytes in
            try? StandardStreams.write(UnsafeRawBufferPointer(bytes), to: descriptor)
        }
    }

    /// Switches to reading single keys without echo, until ``restore(_:)``.
    static func enterRawMode() -> termios? {
        var former = termios()
        guard tcgetattr(STDIN_FILENO, &former) == 0 else { return nil }
        var mode = former
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
        mode.c_iflag &= ~tcflag_t(IXON | ICRNL)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0 else { return nil }
        return former
    }

    /// Without draining: output may be stopped, and then never drains.
    static func restore(_ former: termios) {
        var former = former
        tcsetattr(STDIN_FILENO, TCSANOW, &former)
    }
}
