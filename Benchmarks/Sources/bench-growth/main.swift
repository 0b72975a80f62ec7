import Foundation
import WebSocketClient

// bench-growth URL CONNECTIONS WORKERS COUNT threads|tasks
//
// Opens CONNECTIONS connections to an echo server. WORKERS threads or tasks send COUNT messages of 125 bytes
// there and back, spread over the connections, each waiting for each echo. Then they send COUNT messages in
// all over one connection, one call a message. Prints a line of JSON:
// messages and processor time of both, and the memory that each idle connection holds, before and
// after it has been busy.

let arguments = CommandLine.arguments
guard arguments.count == 6, let connections = Int(arguments[2]), let workers = Int(arguments[3]),
    let count = Int(arguments[4]), connections >= workers, workers > 0,
    ["threads", "tasks"].contains(arguments[5])
else {
    print("usage: bench-growth <url> <connections> <workers> <count> threads|tasks")
    exit(2)
}
let areTasks = arguments[5] == "tasks"

let options = {
    var options = ConnectOptions()
    options.proxy = .none
    options.tls = TLSOptions(verification: .none)
    options.socketOptions = [.noDelay(true)]
    return options
}()
let payload = [UInt8](repeating: 97, count: 125)

func connect() throws -> WebSocket {
    try WebSocket.connect(to: arguments[1], options: options)
}

@Sendable func fail(_ error: any Error) -> Never {
    print("bench-growth: \(error)")
    exit(1)
}

/// Runs the body for each worker, with its number, and measures all of them together.
func measure(
    thread: @escaping @Sendable (Int) throws -> Void,
    task: @escaping @Sendable (Int) async throws -> Void
) -> Usage {
    let start = Usage()
    let group = DispatchGroup()
    for number in 0..<workers {
        group.enter()
        if areTasks {
            Task {
                defer { group.leave() }
                do { try await task(number) } catch { fail(error) }
            }
        } else {
            Thread.detachNewThread {
                defer { group.leave() }
                do { try thread(number) } catch { fail(error) }
            }
        }
    }
    group.wait()
    return Usage().since(start)
}

// What the first connection makes once is not what each connection costs.
let first = try connect()
try first.send(binary: payload)
_ = try first.receive()

let memoryBefore = residentBytes()
let sockets = try (0..<connections).map { _ in try connect() }
let memoryIdle = residentBytes()
let echoes = max(1, count / connections) * connections
let rounds = echoes / workers
let step = workers
let echo = measure { number in
    for round in 0..<rounds {
        let socket = sockets[(round * step + number) % sockets.count]
        try socket.send(binary: payload)
        _ = try socket.receive()
    }
} task: { number in
    for round in 0..<rounds {
        let socket = sockets[(round * step + number) % sockets.count]
        try await socket.send(binary: payload)
        _ = try await socket.receive()
    }
}
let memoryUsed = residentBytes()

let reader = Thread {
    while (try? first.receive()) != nil {}
}
reader.start()
let sends = count / workers
let shared = measure { _ in
    for _ in 0..<sends { try first.send(binary: payload) }
} task: { _ in
    for _ in 0..<sends { try await first.send(binary: payload) }
}
let fields = [
    "\"connections\":\(connections)", "\"workers\":\(workers)",
    "\"echoes\":\(echoes)", "\"echo_seconds\":\(echo.seconds)", "\"echo_cpu\":\(echo.cpu)",
    "\"sends\":\(count)", "\"send_seconds\":\(shared.seconds)", "\"send_cpu\":\(shared.cpu)",
    "\"idle_bytes\":\((memoryIdle - memoryBefore) / connections)",
    "\"used_bytes\":\((memoryUsed - memoryBefore) / connections)",
]
print("{\(fields.joined(separator: ","))}")
exit(0)
