import AllocationCounter
import LoopbackServer
import WebSocketClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

// count-allocations: counts the client's allocations for each message, after a warm-up, and fails if
// there are any where none are promised; it also compares the memory of compression with the
// documentation. The server runs in this process, so only calls that it doesn't answer, or bytes that
// it has sent before, are measured.

func measure(_ name: String, messages: Int, _ body: () throws -> Void) throws -> Bool {
    try body()
    // The minimum of several, as the server's thread may need one more block than ever before.
    let count = try (0..<3).map { _ in
        let before = allocation_count()
        try body()
        return allocation_count() - before
    }.min()
    print(
        "\(count == 0 ? "ok    " : "FAILED") \(name): \(count ?? 0) allocations for \(messages) messages"
    )
    return count == 0
}

/// A server that only reads, without an allocation of its own.
let sink = try LoopbackServer()

func connect(to server: LoopbackServer) throws -> WebSocket {
    var options = ConnectOptions(timeout: .seconds(20))
    options.proxy = .none
    // The sink waits for more messages than will come.
    return try WebSocket.connect(to: server.url("/sink?count=\(Int.max)"), options: options)
}

var isFine = allocation_count() > 0
// Always printed, as the first line allocates the buffer of standard output.
print("\(isFine ? "ok    " : "FAILED") the counter counts")
// Before any connection, as another thread that ends frees its memory at any time.
isFine = try CompressionMemory.check() && isFine
let socket = try connect(to: sink)
let text = String(repeating: "é", count: 500)
for size in [16, 1024, 65536, 1 << 20] {
    let bytes = [UInt8](repeating: 7, count: size)
    isFine =
        try measure("send(binary:) of \(size) bytes", messages: 100) {
            for _ in 0..<100 { try socket.send(binary: bytes) }
        } && isFine
    isFine =
        try measure("withBatch, \(size) bytes", messages: 1000) {
            try socket.withBatch { batch in
                for _ in 0..<1000 { try batch.send(binary: bytes) }
            }
        } && isFine
}
var messages = (0..<40).map { [UInt8](repeating: UInt8($0), count: 1 << 20) }
isFine =
    try measure("send(consuming:) of 1048576 bytes", messages: 10) {
        for _ in 0..<10 { try socket.send(consuming: messages.removeLast()) }
    } && isFine
isFine =
    try measure("send(_: String)", messages: 100) {
        for _ in 0..<100 { try socket.send(text) }
    } && isFine
isFine =
    try measure("ping", messages: 1) {
        // An empty payload: an array of bytes would be the caller's allocation.
        try socket.ping()
    } && isFine
isFine = TaskAllocations.check(sink.url("/")) && isFine
guard isFine else { exit(1) }
