import Foundation
import WebSocketClient

// bench-growth URL CONNECTIONS THREADS COUNT
//
// Opens CONNECTIONS connections to an echo server. THREADS threads send COUNT messages of 125 bytes there
// and back, spread over the connections, each thread waiting for each echo. Then the threads send COUNT
// messages in all over one connection, one call a message. Prints a line of JSON:
// messages and processor time of both, and the memory that each idle connection holds, before and
// after it has been busy.

let arguments = CommandLine.arguments
guard arguments.count == 5, let connections = Int(arguments[2]), let threads = Int(arguments[3]),
    let count = Int(arguments[4]), connections >= threads, threads > 0
else {
    print("usage: bench-growth <url> <connections> <threads> <count>")
    exit(2)
}

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

/// Runs `body` in each thread, with the thread's number, and measures all of them together.
func measure(_ body: @escaping @Sendable (Int) throws -> Void) -> Usage {
    let start = Usage()
    let group = DispatchGroup()
    for number in 0..<threads {
        group.enter()
        Thread.detachNewThread {
            defer { group.leave() }
            do {
                try body(number)
            } catch {
                print("bench-growth: \(error)")
                exit(1)
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
let threadCount = threads
let echo = measure { number in
    for round in 0..<(echoes / threadCount) {
        let socket = sockets[(round * threadCount + number) % sockets.count]
        try socket.send(binary: payload)
        _ = try socket.receive()
    }
}
let memoryUsed = residentBytes()

let reader = Thread {
    while (try? first.receive()) != nil {}
}
reader.start()
let shared = measure { _ in
    for _ in 0..<(count / threadCount) { try first.send(binary: payload) }
}
let fields = [
    "\"connections\":\(connections)", "\"threads\":\(threads)",
    "\"echoes\":\(echoes)", "\"echo_seconds\":\(echo.seconds)", "\"echo_cpu\":\(echo.cpu)",
    "\"sends\":\(count)", "\"send_seconds\":\(shared.seconds)", "\"send_cpu\":\(shared.cpu)",
    "\"idle_bytes\":\((memoryIdle - memoryBefore) / connections)",
    "\"used_bytes\":\((memoryUsed - memoryBefore) / connections)",
]
print("{\(fields.joined(separator: ","))}")
exit(0)
