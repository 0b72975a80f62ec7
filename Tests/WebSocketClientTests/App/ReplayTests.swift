import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Replaying unacknowledged messages", .blocking)
struct ReplayTests {
    /// Records a server's messages by connection, and decides when it answers pings.
    private final class Receiver: Sendable {
        private let received = Locked<[[String]]>([])
        private let answers = Locked<[Bool]>([])

        /// Whether the pings of each connection are answered; on further connections, they are.
        init(answers: [Bool] = []) { self.answers.withLock { $0 = answers } }

        var connections: [[String]] { received.withLock { $0 } }
        var count: Int { connections.reduce(0) { $0 + $1.count } }

        func run(_ connection: ServerConnection) throws {
            let answersPings = answers.withLock { $0.isEmpty ? true : $0.removeFirst() }
            let index = received.withLock { received in
                received.append([])
                return received.count - 1
            }
            var message: [UInt8] = []
            while true {
                let piece = try connection.nextPiece()
                if piece.opcode == .ping, !answersPings { continue }
                if piece.opcode.isControl {
                    try connection.answer(piece)
                    continue
                }
                message += Array(piece.bytes)
                guard piece.endsFrame, piece.isFinal else { continue }
                let text = String(decoding: message, as: UTF8.self)
                message = []
                received.withLock { $0[index].append(text) }
                if text == "cut", index == 0 { return }
            }
        }
    }

    /// Runs an app while `body` sends, and closes it.
    private func withApp<Result>(
        _ receiver: Receiver,
        _ replay: Replay = .unacknowledged(limit: 1 << 20),
        onOpen: WebSocketApp.Callback? = nil,
        timeout: Duration? = .ample,
        body: (WebSocketApp) throws -> Result
    ) throws -> Result {
        let server = try LoopbackServer(script: receiver.run)
        defer { server.stop() }
        var options = ConnectOptions(timeout: .ample)
        options.timeouts.send = timeout
        let app = WebSocketApp(url: server.url(), onOpen: onOpen, options: options)
        app.reconnection = .every(.milliseconds(1))
        app.replay = replay
        let running = Background { try app.runForever() }
        while !app.isRunning { pause(.milliseconds(1)) }
        defer {
            app.close()
            _ = try? running.join()
        }
        return try body(app)
    }

    @Test("Unacknowledged messages go out again in order, before new ones, and are counted")
    func order() throws {
        let receiver = Receiver(answers: [false])
        try withApp(receiver) { app in
            for text in ["1", "2", "cut"] { try app.send(text) }
            // On the present connection, whichever that is.
            try app.send("3")
            try app.waitUntilAcknowledged(timeout: .ample)
            #expect(app.unacknowledgedMessages == [])
            #expect(app.replayStatus.acknowledgedMessages == 4)
            #expect(app.replayStatus.sentAgain >= 3)
        }
        #expect(receiver.connections == [["1", "2", "cut"], ["1", "2", "cut", "3"]])
    }

    @Test("Acknowledged messages aren't sent again")
    func acknowledged() throws {
        let receiver = Receiver()
        try withApp(receiver) { app in
            for number in 0..<1_000 { try app.send("\(number)") }
            try app.waitUntilAcknowledged(timeout: .ample)
            app.socket?.abort()
            try app.send("last")
            try app.waitUntilAcknowledged(timeout: .ample)
            // At most the last one, which the connection may have taken before its end was noticed.
            #expect(app.replayStatus.sentAgain <= 1)
            #expect(app.replayStatus.keptBytes == 0)
        }
        #expect(Array(receiver.connections.joined()) == (0..<1_000).map { "\($0)" } + ["last"])
    }

    @Test("Without a connection, messages are kept, and go out after those of onOpen")
    func withoutConnection() throws {
        let receiver = Receiver()
        let start = Promise<Void>()
        try withApp(receiver) { app in
            try start.value()
            try app.send("hello")
        } body: { app in
            try app.send("kept")
            try app.send(binary: Array("kept too".utf8))
            #expect(app.unacknowledgedMessages.count == 2)
            start.fulfil()
            try app.waitUntilAcknowledged(timeout: .ample)
        }
        #expect(receiver.connections == [["hello", "kept", "kept too"]])
    }

    @Test(
        "Over the limit, a call waits for acknowledgements or throws",
        arguments: [Replay.WhenFull.wait, .fail]
    )
    func limit(whenFull: Replay.WhenFull) throws {
        let receiver = Receiver(answers: [false])
        let plan = Replay.unacknowledged(limit: 3 * 100, whenFull: whenFull)
        try withApp(receiver, plan, timeout: .milliseconds(50)) { app in
            for _ in 0..<3 { try app.send(binary: [UInt8](repeating: 65, count: 36)) }
            #expect(app.replayStatus.keptBytes == 300)
            #expect(failure { try app.send("over") }?.isAccepted == false)
            guard
                case .invalidArgument? = failure({
                    try app.send(binary: [UInt8](repeating: 65, count: 300))
                })
            else {
                Issue.record("a message that can never be kept was accepted")
                return
            }
            app.options.timeouts.send = .ample
            while receiver.count < 3 { pause(.milliseconds(1)) }
            // The next connection is answered.
            app.socket?.abort()
            if whenFull == .fail { try app.waitUntilAcknowledged(timeout: .ample) }
            try app.send("there is room")
            try app.waitUntilAcknowledged(timeout: .ample)
        }
        #expect(receiver.connections.last?.last == "there is room")
        #expect(receiver.connections.joined().contains("over") == false)
    }

    @Test(
        "A callback that finds no room doesn't wait for acknowledgements that only its own thread can receive"
    )
    func fullInCallback() throws {
        let receiver = Receiver(answers: [false])
        let isAccepted = Promise<Bool?>()
        let server = try LoopbackServer { connection in
            try connection.write(WireFrame(.text, text: "go"))
            try receiver.run(connection)
        }
        defer { server.stop() }
        let app = WebSocketApp(
            url: server.url(),
            onMessage: { app, _ in
                try app.send("fits")
                isAccepted.fulfil(failure { try app.send("doesn't fit") }?.isAccepted)
                app.close()
            },
            options: ConnectOptions(timeout: .endless)
        )
        app.replay = .unacknowledged(limit: 100)
        try app.runForever()
        #expect(try isAccepted.value() == false)
        #expect(app.unacknowledgedMessages == [.text("fits")])
    }

    @Test("A review drops stale messages, changes others, and keeps the order")
    func review() throws {
        let receiver = Receiver(answers: [false])
        let reviewed = Locked<[Int]>([])
        let plan = Replay.unacknowledged(limit: 1 << 20) { kept in
            // Messages accepted before the first connection are reviewed as well.
            guard kept.timesSent > 0, case .text(let text) = kept.message else {
                return kept.message
            }
            reviewed.withLock { $0.append(kept.timesSent) }
            if text == "stale" { return nil }
            return .text(text == "old" ? "new" : text)
        }
        try withApp(receiver, plan) { app in
            for text in ["a", "stale", "old", "b"] { try app.send(text) }
            while receiver.count < 4 { pause(.milliseconds(1)) }
            app.socket?.abort()
            try app.waitUntilAcknowledged(timeout: .ample)
            #expect(app.replayStatus.droppedMessages == 1)
            #expect(app.replayStatus.sentAgain == 2)
            #expect(app.replayStatus.acknowledgedMessages == 3)
            #expect(app.replayStatus.keptBytes == 0)
        }
        #expect(receiver.connections == [["a", "stale", "old", "b"], ["a", "new", "b"]])
        #expect(reviewed.withLock { $0 } == [1, 1, 1, 1])
    }

    @Test(
        "Fragments, prepared messages and text go out again as they were",
        arguments: [false, true]
    )
    func kinds(isCompressed: Bool) throws {
        let texts = Locked<[[String]]>([])
        let server = try LoopbackServer(compression: DeflateOptions()) { connection in
            let index = texts.withLock { texts in
                texts.append([])
                return texts.count - 1
            }
            while true {
                let (_, payload) = try connection.receive()
                texts.withLock {
                    $0[index].append(String(decoding: payload.prefix(20), as: UTF8.self))
                }
            }
        }
        defer { server.stop() }
        var options = ConnectOptions(timeout: .ample)
        options.compression = isCompressed ? DeflateOptions() : nil
        let app = WebSocketApp(url: server.url(), options: options)
        app.reconnection = .every(.milliseconds(1))
        app.replay = .unacknowledged(limit: 1 << 20)
        let running = Background { try app.runForever() }
        while !app.isRunning { pause(.milliseconds(1)) }
        let words = String(repeating: " and so on", count: 100)
        for round in 0..<20 {
            try app.send("text \(round)" + words)
            try app.send(PreparedMessage("prepared \(round)" + words))
            try app.send(fragments: [Array("frag".utf8), Array("ments \(round)".utf8)], as: .text)
            app.socket?.abort()
        }
        try app.waitUntilAcknowledged(timeout: .ample)
        app.close()
        _ = try running.join()
        var expected: [String] = []
        for round in 0..<20 {
            for kind in ["text \(round)", "prepared \(round)", "fragments \(round)"] {
                expected.append(
                    kind.hasPrefix("fragments") ? kind : String((kind + words).prefix(20))
                )
            }
        }
        var next = 0
        for connection in texts.withLock({ $0 }) {
            guard let first = connection.first, let start = expected.firstIndex(of: first) else {
                #expect(connection == [])
                continue
            }
            #expect(start <= next)
            #expect(connection == Array(expected[start..<start + connection.count]))
            next = max(next, start + connection.count)
        }
        #expect(next == expected.count)
    }

    @Test(
        "Messages of many threads arrive once each, despite drops, on a shared dispatcher and in a task"
    )
    func threads() async throws {
        let receiver = Receiver()
        let server = try LoopbackServer(script: receiver.run)
        defer { server.stop() }
        let app = WebSocketApp(url: server.url(), options: ConnectOptions(timeout: .ample))
        app.reconnection = .every(.milliseconds(1))
        app.replay = .unacknowledged(limit: 20_000)
        let running = Task { try await app.run() }
        while !app.isRunning { await Task.yield() }
        let threads = (0..<4).map { thread in
            Background {
                for number in 0..<2_000 {
                    try app.send("\(thread) \(number)")
                    if number % 500 == 250 { app.socket?.abort() }
                }
            }
        }
        for thread in threads { try thread.join() }
        try await Task.detached { try app.waitForAll() }.value
        app.close()
        try await running.value
        for thread in 0..<4 {
            var next = 0
            for connection in receiver.connections {
                var last: Int?
                for text in connection where text.hasPrefix("\(thread) ") {
                    let number = Int(text.dropFirst(2)) ?? -1
                    if let last { #expect(number == last + 1) } else { #expect(number <= next) }
                    last = number
                    next = max(next, number + 1)
                }
            }
            #expect(next == 2_000)
        }
        let all = receiver.connections.joined()
        #expect(Set(all).count == 8_000)
        #expect(all.count - 8_000 <= app.replayStatus.sentAgain)
    }

    @Test("A pong to somebody else's ping doesn't acknowledge, and makes the queue ping again")
    func foreignPongs() throws {
        let pings = Locked(0)
        let server = try LoopbackServer { connection in
            while true {
                let piece = try connection.nextPiece()
                guard piece.opcode == .ping else {
                    if piece.opcode == .close { try connection.answer(piece) }
                    continue
                }
                let count = pings.withLock { count in
                    count += 1
                    return count
                }
                // Only the last of three is answered correctly.
                if count < 3 {
                    try connection.write(WireFrame(.pong, [1, 2, 3]))
                } else {
                    try connection.answer(piece)
                }
            }
        }
        defer { server.stop() }
        let app = WebSocketApp(url: server.url(), options: ConnectOptions(timeout: .ample))
        app.replay = .unacknowledged(limit: 1000)
        let running = Background { try app.runForever() }
        while !app.isRunning { pause(.milliseconds(1)) }
        try app.send("x")
        try app.waitUntilAcknowledged(timeout: .ample)
        #expect(pings.withLock { $0 } == 3)
        app.close()
        _ = try running.join()
    }

    @Test("The end of a run ends waits, and kept messages can still be read")
    func end() throws {
        let receiver = Receiver(answers: [false])
        let server = try LoopbackServer(script: receiver.run)
        defer { server.stop() }
        let app = WebSocketApp(url: server.url(), options: ConnectOptions(timeout: .endless))
        app.replay = .unacknowledged(limit: 100)
        let running = Background { try app.runForever() }
        while !app.isRunning { pause(.milliseconds(1)) }
        try app.send("kept")
        let waiting = Background { failure { try app.send("doesn't fit") } }
        let flushing = Background { failure { try app.waitUntilAcknowledged() } }
        pause(.milliseconds(20))
        app.socket?.abort()
        _ = try running.join()
        #expect(try waiting.join()?.closure != nil)
        #expect(try flushing.join()?.closure != nil)
        #expect(app.unacknowledgedMessages == [.text("kept")])
        #expect(failure { try app.send("after it") }?.closure != nil)
    }

    @Test(
        "Nothing is lost when the connection is cut at random bytes",
        arguments: [false, true],
        [false, true]
    )
    func cuts(isSecure: Bool, isCompressed: Bool) throws {
        let certificates = try Certificates.shared.get()
        let identity = certificates.server
        let recorder = NumberRecorder()
        let server = try LoopbackServer(
            compression: DeflateOptions(),
            tls: isSecure
                ? try TLSServer(certificateFile: identity.certificate, keyFile: identity.key) : nil,
            script: recorder.run
        )
        defer { server.stop() }
        let relay = try FaultyRelay(to: server.port)
        defer { relay.stop() }
        var options = ConnectOptions(timeout: .ample)
        options.compression = isCompressed ? DeflateOptions() : nil
        options.tls.certificateAuthorityFile = certificates.authority.certificate
        let outcome = try ReplayTrial(cuts: 75, seed: isCompressed ? 3 : 4).run(
            over: relay,
            url: "\(isSecure ? "wss" : "ws")://127.0.0.1:\(relay.port)/",
            options: options
        ) { app in
            let dispatcher = try Dispatcher()
            try app.runForever(dispatcher: dispatcher)
            try dispatcher.dispatch()
        }
        let faults = ReplayTrial.faults(in: recorder.numbers, after: outcome)
        #expect(faults == [], "\(faults.prefix(10))")
        #expect(outcome.cuts == 75)
    }
}

extension WebSocketApp {
    /// From a thread, which may block.
    fileprivate func waitForAll() throws { try waitUntilAcknowledged(timeout: .ample) }
}
