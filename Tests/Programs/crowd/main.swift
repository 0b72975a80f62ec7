// crowd URL COUNT: measures the memory of idle connections of a WebSocketApp.
//
// Runs COUNT apps on one dispatcher, each of which gets an echo, and prints one line when all are idle:
// connections, threads, and resident bytes for each connection, without the kernel's sockets.
// CrowdTests runs it against a server in another process.
import Synchronization
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

/// A figure of /proc/self/status; those in kB are given in bytes.
func status(_ name: String) -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.first == "\(name):", words.count > 1 else { continue }
        return (Int(words[1]) ?? 0) * (words.last == "kB" ? 1024 : 1)
    }
    return 0
}

var limit = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
limit.rlim_cur = limit.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)

let arguments = CommandLine.arguments
guard arguments.count == 3, let count = Int(arguments[2]), count > 0 else {
    print("crowd URL COUNT")
    exit(64)
}
let url = arguments[1]
let dispatcher = try Dispatcher()

/// Runs `count` apps, and calls `whenIdle` on their thread once all of them have had an echo.
func run(_ count: Int, whenIdle: @escaping @Sendable () -> Void) throws {
    let echoed = Atomic<Int>(0)
    for _ in 0..<count {
        let app = WebSocketApp(
            url: url,
            onOpen: { try $0.send("hello") },
            onMessage: { _, _ in
                guard echoed.add(1, ordering: .relaxed).newValue == count else { return }
                // Time for the connecting threads to end.
                dispatcher.schedule(after: .milliseconds(500), whenIdle)
            },
            onError: { _, error in
                print("error: \(error)")
                exit(1)
            }
        )
        try app.runForever(pingInterval: .seconds(60), dispatcher: dispatcher)
    }
    try dispatcher.dispatch()
}

// One-time costs of the first connections, such as the pool's buffers, don't count.
try run(8) { dispatcher.stop() }
let before = status("VmRSS")
try run(count) {
    let bytes = (status("VmRSS") - before) / count
    print("\(count) connections, \(status("Threads")) threads, \(bytes) bytes each")
    dispatcher.stop()
}
