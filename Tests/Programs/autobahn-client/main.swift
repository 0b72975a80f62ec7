import WebSocketClient

// autobahn-client WS-BASE-URL AGENT: runs each case of an Autobahn fuzzing server, echoes messages, and
// has the report written. An agent whose name ends in "async" makes async calls, any other makes
// blocking ones.

guard CommandLine.arguments.count >= 3 else {
    print("usage: autobahn-client <ws-base-url> <agent>")
    throw WebSocketError.invalidArgument("two arguments are needed")
}
let base = CommandLine.arguments[1]
let agent = CommandLine.arguments[2]
let options = {
    var options = ConnectOptions(timeout: .seconds(120))
    options.proxy = .none
    options.compression = DeflateOptions()
    return options
}()

func caseCount(_ message: Message) throws -> Int {
    guard case .text(let text) = message, let count = Int(text) else {
        throw WebSocketError.invalidArgument("the server gave no number of cases")
    }
    return count
}

func runBlocking(base: String, agent: String, options: ConnectOptions) throws -> Int {
    let counter = try WebSocket.connect(to: base + "/getCaseCount", options: options)
    let count = try caseCount(counter.receive())
    try counter.close()
    for number in 1...count {
        let url = "\(base)/runCase?case=\(number)&agent=\(agent)"
        let socket = try WebSocket.connect(to: url, options: options)
        do {
            while true { try socket.send(try socket.receive()) }
        } catch WebSocketError.connectionClosed, WebSocketError.protocolViolation,
            WebSocketError.invalidPayload
        {
            // The end of a case, as the server intended or not: the report judges it.
        }
        try socket.close()
    }
    let report = try WebSocket.connect(to: "\(base)/updateReports?agent=\(agent)", options: options)
    _ = try? report.receive()
    try report.close()
    return count
}

func runAsync(base: String, agent: String, options: ConnectOptions) async throws -> Int {
    let counter = try await WebSocket.connect(to: base + "/getCaseCount", options: options)
    let count = try caseCount(await counter.receive())
    try await counter.close()
    for number in 1...count {
        let url = "\(base)/runCase?case=\(number)&agent=\(agent)"
        let socket = try await WebSocket.connect(to: url, options: options)
        do {
            for try await message in socket.messages { try await socket.send(message) }
        } catch WebSocketError.connectionClosed, WebSocketError.protocolViolation,
            WebSocketError.invalidPayload
        {
            // As above.
        }
        try await socket.close()
    }
    let report = try await WebSocket.connect(
        to: "\(base)/updateReports?agent=\(agent)",
        options: options
    )
    _ = try? await report.receive()
    try await report.close()
    return count
}

let count =
    if agent.hasSuffix("async") {
        try await runAsync(base: base, agent: agent, options: options)
    } else {
        try runBlocking(base: base, agent: agent, options: options)
    }
print("\(count) cases")
