import Foundation
import WebSocketClient

/// Why a test could not be prepared.
package struct SupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Finds a program, by its path or in the usual folders: `/usr/sbin` too, where Debian puts servers.
package func findProgram(_ name: String) throws -> String {
    if name.hasPrefix("/"), FileManager.default.isExecutableFile(atPath: name) { return name }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let folders: [Substring] = path.split(separator: ":") + ["/usr/sbin", "/sbin"]
    for folder in folders {
        let file = "\(folder)/\(name)"
        if FileManager.default.isExecutableFile(atPath: file) { return file }
    }
    throw SupportError("\(name) is not installed; Tests/run setup installs it")
}

/// Runs a program to its end, and throws with its output unless it succeeds.
@discardableResult
package func runProgram(
    _ name: String,
    _ arguments: [String],
    in folder: String? = nil
) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try findProgram(name))
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: bytes, as: UTF8.self)
    guard process.terminationStatus == 0 else {
        throw SupportError("\(name) \(arguments.joined(separator: " ")): \(text)")
    }
    return text
}

/// A directory that is removed with the object.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        path = "/tmp/websocket-tests-\(ProcessInfo.processInfo.processIdentifier)-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false
        )
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file of text and returns its path.
    package func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}

/// A server in a process of its own, ended with the object and with this process.
package final class ServerProcess: Sendable {
    private let run: ServerRun
    package let port: UInt16

    /// Starts `name` with the arguments for a free port and waits until it accepts connections.
    package init(
        _ name: String,
        environment: [String: String] = [:],
        arguments: (UInt16, TemporaryFolder) throws -> [String]
    ) throws {
        let program = try findProgram(name)
        var attempts = 3
        while true {
            let port = try Self.freePort()
            let folder = try TemporaryFolder()
            let run = try ServerRun(
                program,
                arguments: try arguments(port, folder),
                environment: environment,
                folder: folder
            )
            if try run.accepts(port) {
                self.run = run
                self.port = port
                return
            }
            // Another program may have taken the port meanwhile.
            attempts -= 1
            guard attempts > 0 else {
                throw SupportError("\(name) ended at once: \(run.output)")
            }
        }
    }

    /// What the server has printed so far.
    package var output: String { run.output }

    /// The folder that `arguments` was given.
    package var folder: TemporaryFolder { run.folder }

    /// A port below the range from which the system chooses: otherwise a test's own listener might get
    /// it before the server starts, and pass for the server.
    private static func freePort() throws -> UInt16 {
        for _ in 0..<100 {
            let port = UInt16.random(in: 12_000..<32_000)
            guard let listener = try? Listener(port: port) else { continue }
            listener.close()
            return port
        }
        throw SupportError("no port is free")
    }
}

/// One start of a server.
private final class ServerRun: @unchecked Sendable {
    // Unchecked: set up in init, and not changed afterwards.
    private let process = Process()
    private let lifeline = Pipe()
    let folder: TemporaryFolder

    init(
        _ program: String,
        arguments: [String],
        environment: [String: String],
        folder: TemporaryFolder
    ) throws {
        self.folder = folder
        // When the shell's input ends, even if this process crashes, it ends the server with all its
        // children, and removes the directory.
        let script = """
            set -m
            { "$@"; touch \(folder.path)/ended; } </dev/null >\(folder.path)/output 2>&1 &
            cat >/dev/null
            kill -TERM -- -$!
            for i in 1 2 3 4 5 6 7 8 9 10; do
                kill -0 -- -$! || break
                sleep 0.1
            done
            kill -KILL -- -$!
            rm -rf \(folder.path)
            """
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script, "server", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = lifeline
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    var output: String {
        (try? String(contentsOfFile: "\(folder.path)/output", encoding: .utf8)) ?? ""
    }

    /// Waits until the server accepts connections; false if it has ended.
    func accepts(_ port: UInt16) throws -> Bool {
        let deadline = Deadline.ample
        let plan = ConnectPlan(target: .host("127.0.0.1", port: port), serverName: "127.0.0.1")
        while !deadline.isPast {
            if FileManager.default.fileExists(atPath: "\(folder.path)/ended") { return false }
            if (try? Connector.connect(plan, wakeUp: WakeUp())) != nil { return true }
            pause(.milliseconds(20))
        }
        throw SupportError("The server does not listen on port \(port): \(output)")
    }
}
