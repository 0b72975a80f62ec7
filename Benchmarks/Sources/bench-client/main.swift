import WebSocketAccel
import WebSocketClient

// bench-client URL send|recv|rtt binary|text SIZE COUNT
//
// `send` sends COUNT messages and waits for a text that starts with "done"; `recv` sends "go" and
// receives COUNT messages; `rtt` sends one and waits for its echo, COUNT times. One line of JSON tells
// how long that took. With deflate=1 in the URL's query, compression is offered.
//
// WSBENCH_DATA     a folder with payloads, TYPE-SIZE; without it they are made
// WSBENCH_CALLS    "async" makes the calls for asynchronous code; otherwise those that block
// WSBENCH_SEND     "each" sends each message with a call of its own, "corked" does so on a corked connection;
//                  otherwise they go as a batch
// WSBENCH_BATCH    how many messages a batch has; otherwise all of them
// WSBENCH_RECEIPTS takes a receipt for each call and each batch, if it is set
// WSBENCH_RECEIVE  "owned" receives each message as a value of its own; otherwise as a view
// WSBENCH_CONTROL_DELAY    how long control frames may wait, in milliseconds; otherwise as long as it takes
// WSBENCH_DEFLATE_LEVEL    the level of compression
// WSBENCH_DEFLATE_THREADS  how many threads compress a batch, each message by itself

guard let job = Job(arguments: CommandLine.arguments) else {
    print("usage: bench-client <url> <send|recv|rtt> <binary|text> <size> <count>")
    throw WebSocketError.invalidArgument("five arguments are needed")
}

var options = ConnectOptions()
options.proxy = .none
options.tls = TLSOptions(verification: .none)
options.compression = job.compression
options.corking = job.isCorked ? .upTo() : .off
options.maximumControlDelay = job.controlDelay
options.socketOptions = [.noDelay(true)]
options.limits.maximumFrameBytes = 1 << 30
options.limits.maximumMessageBytes = 1 << 30

if job.isAsync {
    try await measureAsync(job, options)
} else {
    try measure(job, options)
}

func measure(_ job: Job, _ options: ConnectOptions) throws {
    let socket = try WebSocket.connect(to: job.url, options: options)
    let stopwatch = Stopwatch()
    var roundTrips: [Double] = []
    switch job.operation {
    case .send: try job.sendAll(through: socket)
    case .recv: try job.receiveAll(from: socket)
    case .rtt: roundTrips = try job.measureRoundTrips(through: socket)
    }
    printResult(stopwatch, job, roundTrips)
    try socket.close()
}

func measureAsync(_ job: Job, _ options: ConnectOptions) async throws {
    let socket = try await WebSocket.connect(to: job.url, options: options)
    let stopwatch = Stopwatch()
    var roundTrips: [Double] = []
    switch job.operation {
    case .send: try await job.sendAll(through: socket)
    case .recv: try await job.receiveAll(from: socket)
    case .rtt: roundTrips = try await job.measureRoundTrips(through: socket)
    }
    printResult(stopwatch, job, roundTrips)
    try await socket.close()
}

func printResult(_ stopwatch: Stopwatch, _ job: Job, _ roundTrips: [Double]) {
    let peer = "swift-websocket-client (\(Accel.backend)\(job.isAsync ? ", async" : ""))"
    print(stopwatch.line(for: job, peer: peer, roundTrips: roundTrips))
}
