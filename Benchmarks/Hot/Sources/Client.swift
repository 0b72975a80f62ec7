import Benchmark
import LoopbackServer
import WebSocketClient

/// The client's ways to send and receive, over loopback to a server in this process. Sending ends
/// when the messages are with the kernel, not when the server has read them.
func addClient(messageSize size: Int) {
    let payload = [UInt8](repeating: 7, count: size)
    let text = String(repeating: "t", count: size)
    addClient("send, \(size) B") { socket in
        for _ in 0..<repetitions { try socket.send(binary: payload) }
    }
    addClient("send text, \(size) B") { socket in
        for _ in 0..<repetitions { try socket.send(text) }
    }
    addClient("batch, \(size) B") { socket in
        try socket.withBatch { batch in
            for _ in 0..<repetitions { try batch.send(binary: payload) }
        }
    }
    addClient("receive, \(size) B", path: "/source?count=\(repetitions)&size=\(size)") { socket in
        try socket.send("go")
        var remaining = repetitions
        try socket.forEachMessage { _, bytes in
            blackHole(bytes.byteCount)
            remaining -= 1
            return remaining > 0
        }
    }
}

/// Adds a benchmark of work with a connection of its own.
private func addClient(
    _ name: String,
    path: String = "/sink?count=\(Int.max)",
    _ work: @escaping @Sendable (WebSocket) throws -> Void
) {
    Benchmark(name) { (benchmark, server: LoopbackServer) in
        var options = ConnectOptions(timeout: .seconds(20))
        options.proxy = .none
        let socket = try WebSocket.connect(to: server.url(path), options: options)
        benchmark.startMeasurement()
        try work(socket)
        benchmark.stopMeasurement()
        try socket.close()
    } setup: {
        try LoopbackServer()  // It serves to the end of the program.
    }
}
