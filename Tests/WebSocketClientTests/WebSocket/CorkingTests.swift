import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Corking", .blocking)
struct CorkingTests {
    /// The transport of the messages.
    enum Way: CaseIterable { case plain, secure, compressed, compressedByThreads }

    private let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    /// In a test, nothing goes out because of the time.
    private func options(_ way: Way = .plain, _ corking: Corking = .upTo(.endless))
        -> ConnectOptions
    {
        var options = ConnectOptions(timeout: .ample)
        options.corking = corking
        options.tls = certificates.trusting
        if way == .compressed || way == .compressedByThreads {
            var deflate = DeflateOptions()
            deflate.threshold = 1
            if way == .compressedByThreads { deflate.threads = 2 }
            options.compression = deflate
        }
        return options
    }

    private func server(_ way: Way, _ script: @escaping LoopbackServer.Script) throws
        -> LoopbackServer
    {
        try LoopbackServer(
            compression: DeflateOptions(),
            tls: way == .secure
                ? try TLSServer(
                    certificateFile: certificates.server.certificate,
                    keyFile: certificates.server.key
                ) : nil,
            script: script
        )
    }

    @Test(
        "A call that waits for an answer sends the corked question first",
        arguments: Way.allCases
    )
    func question(way: Way) throws {
        let server = try server(way, Script.echo)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options(way))
        defer { socket.abort() }
        for round in 0..<50 {
            let texts = (0...round % 5).map { "message \(round) \($0) " }
            for text in texts { try socket.send(text) }
            for text in texts { #expect(try socket.receiveText() == text) }
        }
        try socket.send("frame")
        #expect(try socket.receiveFrame().opcode == .text)
        try socket.send("lent")
        try socket.forEachMessage { _, _ in false }
        try socket.close()
    }

    @Test(
        "A task's corked question goes out when the task waits for the answer",
        arguments: Way.allCases
    )
    func taskQuestion(way: Way) async throws {
        let server = try server(way, Script.echo)
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url(), options: options(way))
        defer { socket.abort() }
        for round in 0..<50 {
            let texts = (0...round % 5).map { "message \(round) \($0) " }
            for text in texts { try await socket.send(text) }
            for text in texts {
                guard case .text(text) = try await socket.receive() else {
                    Issue.record("another message came")
                    return
                }
            }
        }
        try await socket.close()
    }

    @Test("Messages of an app's callback go out when the app waits again")
    func app() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { app in
                try app.send("one")
                try app.send("two")
            },
            onMessage: { app, message in
                if case .text("two") = message { app.close() }
            },
            options: options()
        )
        #expect(try app.runForever() == false)
        #expect(journal.entries.prefix(3) == ["open", "text one", "text two"])
    }

    @Test("flush() and close() send corked messages, and so does the timer", arguments: [0, 1, 2])
    func endings(ending: Int) throws {
        let arrived = Locked<[String]>([])
        let done = Promise<Void>()
        let server = try LoopbackServer { connection in
            while let (_, payload) = try? connection.receive() {
                arrived.withLock { $0.append(String(decoding: payload, as: UTF8.self)) }
                if payload == Array("last".utf8) { done.fulfil() }
            }
            done.fulfil()
        }
        defer { server.stop() }
        let socket = try WebSocket.connect(
            to: server.url(),
            options: options(.plain, ending == 2 ? .upTo() : .upTo(.endless))
        )
        defer { socket.abort() }
        for text in ["first", "second", "last"] { try socket.send(text) }
        switch ending {
        case 0: try socket.waitUntilAcknowledged(socket.flush(), timeout: .ample)
        case 1: try socket.close()
        default: break
        }
        try done.value(within: .ample)
        #expect(arrived.withLock { $0 } == ["first", "second", "last"])
    }

    @Test("After a reset, the next call says how many accepted messages didn't go")
    func lost() throws {
        let leave = Promise<Void>()
        let server = try LoopbackServer { _ in try leave.value() }
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        try socket.send("never read, so that the end is a reset")
        try socket.waitUntilAcknowledged(socket.flush(), timeout: .ample)
        leave.fulfil()
        let descriptor = try #require(socket.fileDescriptor)
        // Without being asked, poll(2) reports only errors.
        #expect(
            try eventually {
                var entries = [PollEntry(descriptor, for: [])]
                return try Poll.wait(for: &entries, wakeUp: nil, until: .after(.zero))
            }
        )
        for text in ["one", "two", "three"] { try socket.send(text) }
        for _ in 0..<2 {
            let error = failure { try socket.ping("four") }
            #expect(error?.closure?.unsentMessages == 3, "\(String(describing: error))")
        }
        // The end of the stream is found, and is the end of everything.
        _ = failure { try socket.receive() }
        #expect(failure { try socket.send("five") }?.closure?.unsentMessages == 3)
    }

    @Test("Tasks' sends don't wait for each other's system calls, and keep to the peer's pace")
    func tasks() async throws {
        let start = Promise<Void>()
        let count = Locked(0)
        let done = Promise<Void>()
        let total = 20_000
        let script = Script.reads(after: start) { payload in
            let number = payload.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            let isNext = count.withLock { count in
                defer { count += 1 }
                return number == count
            }
            if !isNext { throw SupportError("\(number) is out of order") }
            if number == total - 1 { done.fulfil() }
        }
        try await withAsyncSocket(options(.plain, .upTo()), server: script) { socket in
            let sending = Task {
                for number in 0..<total {
                    var message = [UInt8](repeating: 0, count: 1_000)
                    withUnsafeBytes(of: UInt32(number).bigEndian) { head in
                        for index in head.indices { message[index] = head[index] }
                    }
                    try await socket.send(binary: message)
                }
                try await socket.flush()
            }
            try await Task.sleep(for: .milliseconds(20))
            start.fulfil()
            try await sending.value
            try await done.awaited()
        }
    }

    @Test("The description of a connection's end says how many messages were lost")
    func description() {
        var end = ConnectionEnd(cause: "the peer is gone.")
        end.unsentMessages = 3
        #expect(
            end.description
                == "The connection was lost: the peer is gone. Not sent, though accepted: 3 messages."
        )
    }
}
