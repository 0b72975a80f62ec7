import WebSocketClient

// autobahn-client WS-BASE-URL AGENT [FIRST LAST]: runs each case of an Autobahn fuzzing server, echoes what comes, and has the report written.

guard CommandLine.arguments.count >= 3 else {
    print("usage: autobahn-client <ws-base-url> <agent>")
    throw WebSocketError.invalidArgument("two arguments are needed")
}
let base = CommandLine.arguments[1]
let agent = CommandLine.arguments[2]

func connect(_ base: String, _ path: String) throws -> WebSocket {
    var options = ConnectOptions(timeout: .seconds(120))
    options.proxy = .none
    options.compression = DeflateOptions()
    return try WebSocket.connect(to: base + path, options: options)
}

func runCase(_ number: Int, base: String, agent: String) throws {
    let socket = try connect(base, "/runCase?case=\(number)&agent=\(agent)")
    do {
        while true { try socket.send(try socket.receive()) }
    } catch WebSocketError.connectionClosed, WebSocketError.protocolViolation,
        WebSocketError.invalidPayload
    {
        // The end of a case, by the server's will or for its fault: the report judges it.
    }
    try socket.close()
}

let counter = try connect(base, "/getCaseCount")
guard case .text(let text) = try counter.receive(), let count = Int(text) else {
    throw WebSocketError.invalidArgument("the server told no number of cases")
}
try counter.close()
for number in 1...count { try runCase(number, base: base, agent: agent) }
let report = try connect(base, "/updateReports?agent=\(agent)")
_ = try? report.receive()
try report.close()
print("\(count) cases")
