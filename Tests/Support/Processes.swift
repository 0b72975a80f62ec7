import Foundation
import WebSocketClient

/// Why a test could not be prepared.
package struct SupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Finds a program, in `/usr/sbin` as well, where Debian puts servers.
package func findProgram(_ name: String) throws -> String {
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

/// A folder that goes away with the object.
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
package final class ServerProcess: @unchecked Sendable {
    // Unchecked: set up in init, and used by one test.
    private let process = Process()
    private let lifeline = Pipe()
    private let folder: TemporaryFolder
    package let port: UInt16

    /// Starts `name` with the arguments for a free port and waits until it accepts connections.
    package init(
        _ name: String,
        environment: [String: String] = [:],
        arguments: (UInt16, TemporaryFolder) throws -> [String]
    ) throws {
        folder = try TemporaryFolder()
        let listener = try Listener()
        port = listener.port
        listener.close()
        let program = try findProgram(name)
        // The shell ends the server, with all that it started, when its own input ends: that
        // happens even if this process crashes.
        let script = """
            set -m
            "$@" </dev/null >\(folder.path)/output 2>&1 &
            cat >/dev/null
            kill -TERM -- -$! 2>/dev/null
            for i in 1 2 3 4 5 6 7 8 9 10; do
                kill -0 -- -$! 2>/dev/null || exit 0
                sleep 0.1
            done
            kill -KILL -- -$!
            """
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script, "server", program] + (try arguments(port, folder))
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = lifeline
        try process.run()
        try waitUntilReady(name)
    }

    deinit {
        try? lifeline.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// What the server has printed so far.
    package var output: String {
        (try? String(contentsOfFile: "\(folder.path)/output", encoding: .utf8)) ?? ""
    }

    private func waitUntilReady(_ name: String) throws {
        let deadline = Deadline.after(.seconds(30))
        let plan = ConnectPlan(target: .host("127.0.0.1", port: port), serverName: "127.0.0.1")
        while !deadline.isPast {
            if (try? Connector.connect(plan, wakeUp: WakeUp())) != nil { return }
            pause(.milliseconds(20))
        }
        throw SupportError("\(name) does not listen on port \(port): \(output)")
    }
}
