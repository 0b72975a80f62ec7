import Foundation
import Glibc
import WebSocketClient

/// A running program whose input and output this process holds: a terminal, or pipes.
///
/// One thread at a time may use it. If the program still runs when the object is released, it is
/// killed.
package final class RunningProgram {
    package enum Wiring {
        /// A terminal of its own, so that control keys are signals to it.
        case terminal(columns: UInt16 = 80)
        case pipes
    }

    /// Standard output, or all that appears on the terminal.
    package let output: OutputReader
    /// Standard error; empty on a terminal, where it is part of `output`.
    package let errors: OutputReader

    private let process: pid_t
    private let input: Int32
    private static let spawning = Locked(())
    private var isInputOpen = true
    private var status: Int32?

    package init(
        _ program: String,
        _ arguments: [String],
        on wiring: Wiring,
        environment: [String: String] = [:]
    ) throws {
        var variables = ProcessInfo.processInfo.environment
        variables["TERM"] = "xterm"
        variables["NO_COLOR"] = nil
        // Without leak checks: memory that a program's other threads hold when it exits would count as
        // a leak and change its exit status. The tests' own process checks for leaks.
        variables["ASAN_OPTIONS", default: ""] += ":detect_leaks=0"
        variables.merge(environment) { $1 }
        // One at a time, so that no program inherits descriptors that were opened for another.
        (input, output, errors, process) = try Self.spawning.withLock { _ in
            let child = try ChildWiring(wiring)
            let process = try child.spawn(program, arguments, variables)
            return (child.input, OutputReader(child.output), OutputReader(child.errors), process)
        }
    }

    deinit {
        if status == nil {
            Glibc.kill(process, SIGKILL)
            _ = try? waitForExit()
        }
        closeInput()
    }

    /// The path of a program that was built together with the tests.
    package static func built(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return "/" + tests.split(separator: "/").dropLast().joined(separator: "/") + "/" + name
    }

    /// Writes to its input, as a person types.
    package func type(_ text: String) throws { try type(bytes: Array(text.utf8)) }

    /// Writes bytes to its input.
    package func type(bytes: [UInt8]) throws {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { throw SupportError("write: \(errno)") }
            bytes = bytes.dropFirst(count)
        }
    }

    /// Ends its input; for pipes.
    package func closeInput() {
        guard isInputOpen else { return }
        isInputOpen = false
        close(input)
    }

    /// How many seconds the program has spent on a processor so far.
    package func processorTime() throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        // proc(5): the name, which may have blanks, is in parentheses; then come fields 3 and up.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13])
        else { throw SupportError("/proc/\(process)/stat: \(text)") }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// How many descriptors the program has open.
    package func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    package func send(signal number: Int32) { Glibc.kill(process, number) }

    /// Gives the terminal another width; the program gets SIGWINCH.
    package func resize(columns: UInt16) {
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(input, UInt(TIOCSWINSZ), &size)
    }

    /// Waits until the program has stopped, as by Ctrl-Z.
    package func waitForStop() throws -> Bool {
        var status: Int32 = 0
        let hasStopped = try eventually {
            let result = waitpid(process, &status, WUNTRACED | WNOHANG)
            guard result >= 0 else { throw SupportError("waitpid: \(errno)") }
            return result == process
        }
        return hasStopped && status & 0xFF == 0x7F
    }

    /// Waits for its end, and returns its exit status, or 128 and the signal that ended it.
    package func waitForExit(within limit: Duration = .ample) throws -> Int32 {
        if let status { return status }
        var word: Int32 = 0
        let hasEnded = try eventually(within: limit) {
            let result = waitpid(process, &word, WNOHANG)
            guard result >= 0 else { throw SupportError("waitpid: \(errno)") }
            return result == process
        }
        guard hasEnded else { throw SupportError("the program runs on; it said \(output.pending)") }
        let signal = word & 0x7F
        status = signal == 0 ? word >> 8 & 0xFF : 128 + signal
        return status ?? 0
    }

    /// Whether the terminal echoes and collects lines, as it does without a program that edits lines.
    package var isTerminalCooked: Bool {
        var mode = termios()
        return tcgetattr(input, &mode) == 0
            && mode.c_lflag & tcflag_t(ICANON | ECHO) == ICANON | ECHO
    }
}

/// The two ends of what connects a program with this process, before it is started.
private struct ChildWiring {
    let input: Int32
    let output: Int32
    let errors: Int32
    /// The program's standard input, output and error; on a terminal, the program opens it.
    private var inherited: [Int32] = []
    private var terminal: String?

    init(_ wiring: RunningProgram.Wiring) throws {
        switch wiring {
        case .terminal(let columns):
            var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            var (main, other): (Int32, Int32) = (-1, -1)
            var name = [CChar](repeating: 0, count: 128)
            guard openpty(&main, &other, &name, nil, &size) == 0 else {
                throw SupportError("openpty: \(errno)")
            }
            close(other)
            terminal = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
            (input, output) = (main, fcntl(main, F_DUPFD_CLOEXEC, 0))
            errors = open("/dev/null", O_RDONLY)
        case .pipes:
            let (stdin, stdout, stderr) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
            (input, output, errors) = (stdin.writing, stdout.reading, stderr.reading)
            inherited = [stdin.reading, stdout.writing, stderr.writing]
        }
        for descriptor in inherited + [input, output, errors] {
            guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
                throw SupportError("fcntl: \(errno)")
            }
        }
    }

    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw SupportError("pipe: \(errno)") }
        return (ends[0], ends[1])
    }

    func spawn(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            // The first terminal that the leader of a session opens is the session's own.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
        for (number, descriptor) in inherited.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Default signal handling, as from a shell, whatever this process has set.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // glibc's spawn.h: a session of its own; hidden from the Glibc module.
        let setsid: Int32 = 0x80
        let flags = setsid | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var process: pid_t = 0
        let argv = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + variables).forEach { free($0) } }
        let code = posix_spawn(&process, program, &actions, &attributes, argv, variables)
        inherited.forEach { close($0) }
        guard code == 0 else {
            throw SupportError("\(program): \(String(cString: strerror(code)))")
        }
        return process
    }
}
