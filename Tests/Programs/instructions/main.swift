// count-instructions WORK SIZE COUNT [URL]: work for an instrument that counts instructions.
//
// Does WORK with COUNT messages of SIZE bytes: `send` and `batch` send them into memory, `receive`, `each` and
// `round-trip` talk to a loopback server in another process. Tests/Steps/budgets runs it under callgrind, with
// two counts, so that what a process costs once doesn't count. `kernels` prints which kernels are active.
import LoopbackServer
import WebSocketAccel
import WebSocketClient

struct Work {
    let size: Int
    let count: Int
    let url: String

    var payload: [UInt8] { [UInt8](repeating: 7, count: size) }

    func run(_ name: String) throws -> Bool {
        switch name {
        case "send": try send()
        case "batch": try batch()
        case "receive": try receive()
        case "each": try each()
        case "round-trip": try roundTrip()
        default: return false
        }
        return true
    }

    private func send() throws {
        let socket = try WebSocket.discarding()
        defer { socket.abort() }
        let payload = payload
        for _ in 0..<count { try socket.send(binary: payload) }
    }

    private func batch() throws {
        let socket = try WebSocket.discarding()
        defer { socket.abort() }
        let payload = payload
        try socket.withBatch { batch in
            for _ in 0..<count { try batch.send(binary: payload) }
        }
    }

    private func connect(_ path: String) throws -> WebSocket {
        var options = ConnectOptions(timeout: .seconds(600))
        options.proxy = .none
        return try WebSocket.connect(to: url + path, options: options)
    }

    private func receive() throws {
        let socket = try connect("source?size=\(size)&count=\(count)")
        defer { socket.abort() }
        try socket.send("go")
        for _ in 0..<count { _ = try socket.receive() }
    }

    private func each() throws {
        let socket = try connect("source?size=\(size)&count=\(count)")
        defer { socket.abort() }
        try socket.send("go")
        var rest = count
        try socket.forEachMessage { _, _ in
            rest -= 1
            return rest > 0
        }
    }

    private func roundTrip() throws {
        let socket = try connect("")
        defer { socket.abort() }
        let payload = payload
        for _ in 0..<count {
            try socket.send(binary: payload)
            _ = try socket.receive()
        }
    }
}

let arguments = CommandLine.arguments
if arguments.dropFirst() == ["kernels"] {
    print(Accel.backend)
} else {
    guard arguments.count >= 4, let size = Int(arguments[2]), let count = Int(arguments[3]),
        try Work(size: size, count: count, url: arguments.count > 4 ? arguments[4] : "")
            .run(arguments[1])
    else { fatalError("count-instructions WORK SIZE COUNT [URL]") }
}
