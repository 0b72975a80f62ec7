import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Many connections", .alone, .serialized)
struct CrowdTests {
    @Test("A thousand reconnects leave no thread and no descriptor behind")
    func thousandReconnects() throws {
        let server = try LoopbackServer { connection in connection.stream.abort() }
        defer { server.stop() }
        let opened = Atomic<Int>(0)
        let counts = Locked<[(descriptors: Int, threads: Int)]>([])
        let app = WebSocketApp(
            url: server.url(),
            onClose: { _, _, _ in
                let count = opened.add(1, ordering: .relaxed).newValue
                guard count == 10 || count == 1001 else { return }
                counts.withLock { $0.append((Descriptors.open.count, Descriptors.threads)) }
            }
        )
        try app.runForever(reconnect: .every(.zero, maximumAttempts: 1000))
        #expect(opened.load(ordering: .relaxed) == 1001)
        let seen = counts.withLock { $0 }
        try #require(seen.count == 2)
        // The server's threads end when they can; growth by hundreds would be a leak.
        #expect(seen[1].descriptors - seen[0].descriptors < 100)
        #expect(seen[1].threads - seen[0].threads < 100)
    }

    @Test("A thousand connections live on one thread, with keepalive, in one process")
    func thousand() throws {
        try raiseDescriptorLimit(to: 8192)
        let server = try LoopbackServer()
        defer { server.stop() }
        let count = 1000
        let dispatcher = try Dispatcher()
        let opened = Atomic<Int>(0)
        let pongs = Atomic<Int>(0)
        let echoed = Atomic<Int>(0)
        let closed = Atomic<Int>(0)
        let errors = Journal()
        for number in 0..<count {
            let app = WebSocketApp(
                url: server.url(),
                onOpen: { app in
                    opened.add(1, ordering: .relaxed)
                    try app.send("\(number)")
                },
                onMessage: { _, message in
                    if message == .text("\(number)") { echoed.add(1, ordering: .relaxed) }
                },
                onError: { _, error in errors.note("\(error)") },
                onClose: { _, code, _ in
                    if code == .normalClosure { closed.add(1, ordering: .relaxed) }
                },
                onPong: { _, _ in
                    if pongs.add(1, ordering: .relaxed).newValue == 2 * count { dispatcher.stop() }
                }
            )
            app.options.timeouts = Timeouts(all: .ample)
            try app.runForever(pingInterval: .seconds(2), dispatcher: dispatcher)
        }
        try dispatcher.dispatch()
        #expect(errors.entries == [])
        #expect(opened.load(ordering: .relaxed) == count)
        #expect(echoed.load(ordering: .relaxed) == count)
        #expect(closed.load(ordering: .relaxed) == count)
    }

    @Test("A thousand idle connections take no thread and little memory each")
    func idleMemory() throws {
        try raiseDescriptorLimit(to: 8192)
        let server = try RunningProgram(RunningProgram.built("loopback-server"), [], on: .pipes)
        try server.output.expect("listening on ")
        let url = String(try server.output.take(through: "\n").dropLast())
        let crowd = try RunningProgram(RunningProgram.built("crowd"), [url, "1000"], on: .pipes)
        let line = try crowd.output.takeAll()
        print(line)
        let pattern = /1000 connections, (\d+) threads, (\d+) bytes each\n/
        let figures = try #require(line.wholeMatch(of: pattern), "\(line)")
        let (threads, bytes) = (try #require(Int(figures.1)), try #require(Int(figures.2)))
        #expect(threads <= 4)
        // About 4 KiB of it are live objects; the allocator holds the rest after connecting. Sanitizers
        // keep much more.
        let runtimes: [String] = ["__asan_init", "__tsan_init"]
        let isSanitized = runtimes.contains { dlsym(nil, $0) != nil }
        #expect(bytes < (isSanitized ? 256 : 16) << 10)
    }
}

func raiseDescriptorLimit(to wanted: UInt) throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur < wanted else { return }
    try #require(limit.rlim_max >= wanted)
    limit.rlim_cur = wanted
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
