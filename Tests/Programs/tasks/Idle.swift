import Foundation
import LoopbackServer
import TestSupport
import WebSocketClient

/// Opens `count` connections to another process, lets a task wait for a message on each, and reports
/// the cost; then a message comes for each.
func keepIdle(_ count: Int) async throws {
    // Each needs a socket and a wake-up.
    try raiseDescriptorLimit(to: 2 * (count + warmUp) + 64)
    let program = try RunningProgram("/proc/self/exe", ["serve", "\(count + warmUp)"], on: .pipes)
    try program.output.expect("listening on ")
    let url = String(try program.output.take(through: "\n").dropLast())

    // One-time costs of the first connections don't count.
    let first = try await open(warmUp, to: url)
    try await Task.sleep(for: .milliseconds(200))
    let before = ProcessStatus.figure("VmRSS")
    let sockets = try await open(count, to: url)
    try await Task.sleep(for: .milliseconds(500))
    let opened = ProcessStatus.figure("VmRSS")

    try await withThrowingTaskGroup(of: Void.self) { group in
        for socket in first + sockets {
            group.addTask {
                let message = try await socket.receive()
                try require(message == .text("wake up"), "\(message) came")
            }
        }
        try await Task.sleep(for: .milliseconds(500))
        let waiting = ProcessStatus.figure("VmRSS")
        let threads = ProcessStatus.figure("Threads")
        let start = processorTime()
        try await Task.sleep(for: .seconds(1))
        let spent = processorTime() - start
        try program.type("go\n")
        try await group.waitForAll()
        // One reactor, the pool's threads, and those of this program.
        let most = 16 + ProcessInfo.processInfo.activeProcessorCount
        try require(threads <= most, "\(threads) threads")
        print(
            "ok     \(count) idle connections: \((opened - before) / count) bytes each, "
                + "\((waiting - before) / count) with a task that waits; "
                + "\(threads) threads in all; \(spent) ms of processor time in a second"
        )
    }
    for socket in first + sockets { socket.abort() }
}

private let warmUp = 32

/// Opens connections, a few at a time; each has had an echo when this returns.
private func open(_ count: Int, to url: String) async throws -> [WebSocket] {
    try await withThrowingTaskGroup(of: WebSocket.self) { group in
        var sockets: [WebSocket] = []
        for number in 0..<count {
            if number >= 16, let socket = try await group.next() { sockets.append(socket) }
            group.addTask {
                let socket = try await WebSocket.connect(to: url, options: localOptions())
                try await socket.send("hello")
                let echo = try await socket.receive()
                try require(echo == .text("hello"), "\(echo) came back")
                return socket
            }
        }
        for try await socket in group { sockets.append(socket) }
        return sockets
    }
}

/// Accepts `count` connections with one thread, returns one message of each, and sends one to each on request.
func serveIdle(_ count: Int) throws {
    try raiseDescriptorLimit(to: count + 64)
    let listener = try Listener()
    print("listening on ws://127.0.0.1:\(listener.port)/")
    fflush(nil)
    var connections: [ServerConnection] = []
    for _ in 0..<count {
        let stream = try listener.accept(until: .never)
        let connection = try ServerConnection(accepting: stream, compression: nil)
        let (opcode, payload) = try connection.receive()
        try payload.withUnsafeBytes { try connection.send(opcode, $0) }
        try connection.flush()
        connections.append(connection)
    }
    _ = readLine()
    for connection in connections {
        try connection.send(text: "wake up")
        try connection.flush()
    }
    for connection in connections { connection.waitForEnd() }
}
