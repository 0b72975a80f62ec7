import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Compression on several threads", .blocking)
struct ParallelCompressionTests {
    private static func options(
        threads: Int = 3,
        noContextTakeover: Bool = true
    ) -> ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        var deflate = DeflateOptions()
        deflate.threads = threads
        deflate.offers[0].clientNoContextTakeover = noContextTakeover
        options.compression = deflate
        return options
    }

    @Test(
        "The messages of a batch leave in order, compressed or not",
        arguments: [(1, true), (2, true), (4, true), (4, false)]
    )
    func order(threads: Int, noContextTakeover: Bool) throws {
        let sizes = [24, 20_000, 500, 512, 300_000, 60, 2_000, 5_000_000, 100, 70_000]
        let count = 120
        let faults = Promise<[String]>()
        let server = try LoopbackServer(compression: DeflateOptions()) { server in
            faults.fulfil {
                var faults: [String] = []
                for number in 0..<count {
                    let (_, payload) = try server.receive()
                    let expected = TestMessage(
                        sender: 1,
                        number: number,
                        size: sizes[number % sizes.count]
                    )
                    if TestMessage(payload) != expected { faults.append("message \(number)") }
                }
                return faults
            }
            server.waitForEnd()
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(
            to: server.url(),
            options: Self.options(threads: threads, noContextTakeover: noContextTakeover)
        )
        try socket.withBatch { batch in
            for number in 0..<count {
                let size = sizes[number % sizes.count]
                let message = TestMessage(sender: 1, number: number, size: size)
                switch number % 3 {
                case 0: try batch.send(binary: message.bytes)
                case 1: try batch.send(message.text)
                default: try batch.send(text: message.bytes.span.bytes)
                }
            }
        }
        #expect(try faults.value() == [])
        socket.abort()
    }

    @Test("Threads that send at the same time don't damage each other's messages")
    func senders() throws {
        let threads = 4
        let each = 60
        let isRight = Promise<Bool>()
        let server = try LoopbackServer(compression: DeflateOptions()) { server in
            isRight.fulfil {
                var next = [Int](repeating: 0, count: threads)
                for _ in 0..<threads * each {
                    let (_, payload) = try server.receive()
                    guard let message = TestMessage(payload),
                        message.number == next[message.sender]
                    else { return false }
                    next[message.sender] += 1
                }
                return true
            }
            server.waitForEnd()
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: Self.options())
        let senders = (0..<threads).map { sender in
            Background {
                for number in 0..<each {
                    let size = [300, 3_000, 100_000, 24][number % 4]
                    let message = TestMessage(sender: sender, number: number, size: size)
                    switch number % 3 {
                    case 0: try socket.send(binary: message.bytes)
                    case 1: try socket.sendBatch([message.text])
                    default: try socket.send(message.text)
                    }
                }
            }
        }
        for sender in senders { try sender.join() }
        #expect(try isRight.value())
        socket.abort()
    }

    @Test("An interrupted batch reports how many messages went out, and those did")
    func interrupted() throws {
        let go = Promise<Void>()
        let received = Promise<Int>()
        let server = try LoopbackServer(compression: DeflateOptions()) { server in
            try go.value()
            received.fulfil {
                var count = 0
                while true {
                    let (_, payload) = try server.receive()
                    if payload == [0] { return count }
                    guard TestMessage(payload)?.number == count else { return -1 }
                    count += 1
                }
            }
            server.waitForEnd()
        }
        defer { server.stop() }
        var options = Self.options()
        options.compression?.level = 0
        let socket = try WebSocket.connect(to: server.url(), options: options)
        socket.timeout = .milliseconds(200)
        var sent = -1
        let error = failure {
            try socket.withBatch { batch in
                for number in 0..<100_000 {
                    let message = TestMessage(sender: 1, number: number, size: 100_000)
                    try batch.send(binary: message.bytes)
                }
            }
        }
        if case .batchInterrupted(let count, .timedOut(.sending)) = error { sent = count }
        #expect(sent > 0)
        go.fulfil()
        socket.timeout = .ample
        try socket.send(binary: [0])
        #expect(try received.value() == sent)
        socket.abort()
    }

    @Test("Text that isn't UTF-8 is refused when it is added, and leaves the batch as it was")
    func invalidText() throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: Self.options())
        let good = String(repeating: "good ", count: 200)
        let bad = Array(good.utf8) + [0xC3]
        try socket.withBatch { batch in
            try batch.send(good)
            guard case .invalidPayload = failure({ try batch.send(text: bad.span.bytes) }) else {
                Issue.record("it was taken")
                return
            }
            try batch.send(good + "again")
        }
        #expect(try socket.receive() == .text(good))
        #expect(try socket.receive() == .text(good + "again"))
        guard case .invalidPayload = failure({ try socket.send(text: bad.span.bytes) }) else {
            Issue.record("it was sent")
            return
        }
        try socket.close()
    }

    @Test("A batch that ends early leaves no work behind, and the next one works")
    func abandoned() throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: Self.options())
        let workers = try #require(socket.connection?.sender.workers)
        let text = String(repeating: "text ", count: 20_000)
        for _ in 0..<5 {
            let error = failure {
                try socket.withBatch { batch in
                    for _ in 0..<10 { try batch.send(text) }
                    throw WebSocketError.invalidArgument("enough")
                }
            }
            guard case .batchInterrupted(let sent, .invalidArgument) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!workers.hasWork)
            for _ in 0..<sent { #expect(try socket.receive() == .text(text)) }
        }
        try socket.send(text + "last")
        #expect(try socket.receive() == .text(text + "last"))
        try socket.close()
    }

    @Test("The threads end with the connection")
    func threadsEnd() throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        weak var workers: DeflateWorkers?
        do {
            let options = Self.options(threads: 8)
            let socket = try WebSocket.connect(to: server.url("/sink?count=40"), options: options)
            workers = socket.connection?.sender.workers
            #expect(workers != nil)
            let message = [UInt8](repeating: 1, count: 50_000)
            try socket.sendBatch(binary: Array(repeating: message, count: 40))
            socket.abort()
        }
        // Each thread holds on to the workers as long as it runs.
        let isGone = eventually { workers == nil }
        #expect(isGone)
    }

    @Test("A number of threads outside the range is refused", arguments: [0, 65, -1])
    func range(threads: Int) {
        let socket = WebSocket(options: Self.options(threads: threads))
        guard case .invalidArgument = failure({ try socket.connect(to: "ws://127.0.0.1:1/") })
        else {
            Issue.record("it was taken")
            return
        }
    }
}
