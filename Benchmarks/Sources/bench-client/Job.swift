import Foundation
import WebSocketClient

/// What the command line asks for.
struct Job {
    enum Operation: String { case send, recv, rtt }

    let url: String
    let operation: Operation
    let isText: Bool
    let size: Int
    let count: Int
    let payload: [UInt8]
    let message: Message
    let compression: DeflateOptions?
    let isAsync: Bool
    let isCorked: Bool
    let sendsEach: Bool
    let batchLength: Int
    let takesReceipts: Bool
    let receivesOwned: Bool
    let controlDelay: Duration?

    init?(arguments: [String]) {
        guard arguments.count == 6, let operation = Operation(rawValue: arguments[2]),
            ["text", "binary"].contains(arguments[3]),
            let size = Int(arguments[4]), let count = Int(arguments[5]), size >= 0, count > 0
        else { return nil }
        let environment = ProcessInfo.processInfo.environment
        url = arguments[1]
        self.operation = operation
        isText = arguments[3] == "text"
        self.size = size
        self.count = count
        isAsync = environment["WSBENCH_CALLS"] == "async"
        isCorked = environment["WSBENCH_SEND"] == "corked"
        sendsEach = isCorked || environment["WSBENCH_SEND"] == "each"
        batchLength = max(1, environment["WSBENCH_BATCH"].flatMap(Int.init) ?? count)
        takesReceipts = environment["WSBENCH_RECEIPTS"] != nil
        receivesOwned = environment["WSBENCH_RECEIVE"] == "owned"
        controlDelay = environment["WSBENCH_CONTROL_DELAY"].flatMap(Int.init)
            .map { .milliseconds($0) }
        compression =
            url.contains("deflate=1")
            ? Self.compression(
                level: environment["WSBENCH_DEFLATE_LEVEL"].flatMap(Int.init),
                threads: environment["WSBENCH_DEFLATE_THREADS"].flatMap(Int.init)
            )
            : nil
        if let folder = environment["WSBENCH_DATA"] {
            let path = "\(folder)/\(arguments[3])-\(size)"
            guard let file = FileManager.default.contents(atPath: path), file.count >= size
            else { return nil }
            payload = Array(file.prefix(size))
        } else {
            let isText = isText
            payload = (0..<size).map { UInt8(isText ? 97 + $0 % 26 : $0 % 251) }
        }
        message = isText ? .text(String(decoding: payload, as: UTF8.self)) : .binary(payload)
    }

    private static func compression(level: Int?, threads: Int?) -> DeflateOptions {
        var deflate = DeflateOptions()
        if let level { deflate.level = level }
        if let threads {
            deflate.threads = threads
            deflate.offers[0].clientNoContextTakeover = true
        }
        return deflate
    }

    func sendAll(through socket: WebSocket) throws {
        if sendsEach {
            for _ in 0..<count { try send(through: socket) }
        } else {
            for start in stride(from: 0, to: count, by: batchLength) {
                try sendBatch(of: min(batchLength, count - start), through: socket)
            }
        }
        try check(isDone: socket.receive())
    }

    private func sendBatch(of count: Int, through socket: WebSocket) throws {
        let isText = isText
        let span = payload.span.bytes
        try socket.withBatch { batch in
            for _ in 0..<count {
                if isText {
                    try batch.send(text: span)
                } else {
                    try batch.send(binary: span)
                }
            }
        }
        if takesReceipts { try socket.flush() }
    }

    func receiveAll(from socket: WebSocket) throws {
        try socket.send("go")
        if receivesOwned {
            for _ in 0..<count { try check(socket.receive()) }
            return
        }
        var remaining = count
        try socket.forEachMessage { _, bytes in
            try check(size: bytes.byteCount)
            remaining -= 1
            return remaining > 0
        }
    }

    /// Returns the time of each round trip in microseconds.
    func measureRoundTrips(through socket: WebSocket) throws -> [Double] {
        var times: [Double] = []
        times.reserveCapacity(count)
        for _ in 0..<count {
            let start = Stopwatch.nanoseconds()
            try send(through: socket)
            try check(socket.receive())
            times.append(Double(Stopwatch.nanoseconds() - start) / 1e3)
        }
        return times
    }

    private func send(through socket: WebSocket) throws {
        if takesReceipts {
            _ = try socket.sendWithReceipt(message)
        } else if isText {
            try socket.send(text: payload.span.bytes)
        } else {
            try socket.send(binary: payload.span.bytes)
        }
    }

    func check(_ message: Message) throws {
        switch message {
        case .text(let text) where isText: try check(size: text.utf8.count)
        case .binary(let bytes) where !isText: try check(size: bytes.count)
        default: throw WebSocketError.invalidArgument("received another kind of message")
        }
    }

    func check(size received: Int) throws {
        guard received == size else {
            throw WebSocketError.invalidArgument("received \(received) bytes in place of \(size)")
        }
    }

    func check(isDone answer: Message) throws {
        guard case .text(let text) = answer, text.hasPrefix("done") else {
            throw WebSocketError.invalidArgument("the server says \(answer) in place of done")
        }
    }
}
