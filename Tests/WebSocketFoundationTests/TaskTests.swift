import Foundation
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketClient
import WebSocketFoundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

// The rows of the table in LikeURLSession.md, in its order.

@Suite("A task begins as Apple documents it", .blocking)
struct TaskBeginningTests {
    @Test("A new task is suspended, and connects when it is resumed")
    func suspended() async throws {
        let connections = Atomic<Int>(0)
        let fixture = try Fixture { connection in
            connections.add(1, ordering: .relaxed)
            try echo(connection)
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        #expect(task.state == .suspended)
        try await Task.sleep(for: .milliseconds(50))
        #expect(connections.load(ordering: .relaxed) == 0)
        task.resume()
        #expect(task.state == .running)
        try await recorder.isOpen.awaited()
        #expect(connections.load(ordering: .relaxed) == 1)
        #expect((task.response as? HTTPURLResponse)?.statusCode == 101)
    }

    @Test("Sends and receives before the handshake are done after it")
    func early() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        let (sent, received) = (Results<String>(), Results<String>())
        task.receive { if case .success(.string(let text)) = $0 { received.append(text) } }
        task.send(.string("early")) { sent.append(name($0)) }
        try await Task.sleep(for: .milliseconds(20))
        #expect(sent.all.isEmpty && received.all.isEmpty)
        task.resume()
        #expect(try await received.first(1) == ["early"])
        #expect(try await sent.first(1) == ["-"])
        #expect(recorder.events.first == "open -")
    }

    @Test("A URL that isn't ws or wss fails the task")
    func unsupportedURL() async throws {
        for text in ["http://127.0.0.1/", "file:///tmp", "relative"] {
            let recorder = Recorder()
            let task = session(recorder).webSocketTask(with: try #require(URL(string: text)))
            task.resume()
            try await recorder.isComplete.awaited()
            #expect((task.error as? URLError)?.code == .unsupportedURL)
            #expect(task.state == .completed)
        }
    }

    @Test("The delegate learns the subprotocol that the server chose")
    func subprotocol() async throws {
        let server = try LoopbackServer(script: echo)
        defer { server.stop() }
        let url = try #require(URL(string: server.url()))
        let recorder = Recorder()
        let task = session(recorder).webSocketTask(with: url, protocols: ["chat", "other"])
        task.resume()
        try await recorder.isOpen.awaited()
        #expect(recorder.events == ["open chat"])
        task.cancel()
    }

    @Test("A request's header fields arrive unchanged, its subprotocols among them")
    func headers() async throws {
        let fields = Promise<[String]>()
        let server = try LoopbackServer { connection in
            fields.fulfil(connection.headers.map { "\($0.name.rawName):\($0.value)" })
            try echo(connection)
        }
        defer { server.stop() }
        let recorder = Recorder()
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpAdditionalHeaders = ["X-Session": "s", "X-Both": "session"]
        var request = URLRequest(url: try #require(URL(string: server.url())))
        request.setValue("Bearer a=b", forHTTPHeaderField: "Authorization")
        request.setValue("request", forHTTPHeaderField: "X-Both")
        request.setValue("first, second", forHTTPHeaderField: "Sec-WebSocket-Protocol")
        let task = session(recorder, configuration: configuration).webSocketTask(with: request)
        task.resume()
        let arrived = try await fields.awaited().map { field in
            field.lowercased().filter { $0 != " " }
        }
        for field in [
            "authorization:bearera=b", "x-session:s", "x-both:request",
            "sec-websocket-protocol:first,second",
        ] {
            #expect(arrived.contains(field), "\(arrived)")
        }
        try await recorder.isOpen.awaited()
        #expect(recorder.events == ["open first"])
        task.cancel()
    }

    @Test("A field that can't be sent fails the task, and sends nothing")
    func invalidHeader() async throws {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpAdditionalHeaders = ["X-Two": "a\r\nb: c"]
        let recorder = Recorder()
        let session = session(recorder, configuration: configuration)
        let task = session.webSocketTask(with: try #require(URL(string: "ws://127.0.0.1:1/")))
        task.resume()
        try await recorder.isComplete.awaited()
        #expect((task.error as? URLError)?.code == .badURL)
    }

    @Test("Cookies of the configuration's storage are sent")
    func cookies() async throws {
        let cookies = Results<String>()
        let listener = try LoopbackServer { connection in
            cookies.append(connection.headers[.cookie] ?? "-")
            try echo(connection)
        }
        defer { listener.stop() }
        let url = try #require(URL(string: listener.url()))
        let configuration = URLSessionConfiguration.ephemeral
        let storage = try #require(configuration.httpCookieStorage)
        let cookie = try #require(
            HTTPCookie(properties: [
                .name: "known", .value: "1", .domain: "127.0.0.1", .path: "/",
            ])
        )
        storage.setCookie(cookie)
        let recorder = Recorder()
        let task = session(recorder, configuration: configuration).webSocketTask(with: url)
        task.resume()
        #expect(try await cookies.first(1) == ["known=1"])
        task.cancel()
    }

    @Test("Without httpShouldSetCookies, only the request's own cookies are sent")
    func ownCookies() async throws {
        let cookies = Results<String>()
        let server = try LoopbackServer { connection in
            cookies.append(connection.headers[.cookie] ?? "-")
            try echo(connection)
        }
        defer { server.stop() }
        var request = URLRequest(url: try #require(URL(string: server.url())))
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpShouldSetCookies = false
        let cookie = try #require(
            HTTPCookie(properties: [
                .name: "known", .value: "1", .domain: "127.0.0.1", .path: "/",
            ])
        )
        configuration.httpCookieStorage?.setCookie(cookie)
        let session = session(Recorder(), configuration: configuration)
        let plain = session.webSocketTask(with: request)
        plain.resume()
        #expect(try await cookies.first(1) == ["-"])
        plain.cancel()
        request.setValue("own=2", forHTTPHeaderField: "Cookie")
        let task = session.webSocketTask(with: request)
        task.resume()
        #expect(try await cookies.first(2) == ["-", "own=2"])
        task.cancel()
    }

    @Test("Credentials in the URL are sent as Basic authorization, unless the request has its own")
    func credentials() async throws {
        let sent = Results<String>()
        let server = try LoopbackServer { connection in
            sent.append(connection.headers[.authorization] ?? "-")
            try echo(connection)
        }
        defer { server.stop() }
        var components = try #require(URLComponents(string: server.url()))
        components.user = "user"
        components.password = "pass"
        var request = URLRequest(url: try #require(components.url))
        let session = session(Recorder())
        let task = session.webSocketTask(with: request)
        task.resume()
        #expect(try await sent.first(1) == ["Basic dXNlcjpwYXNz"])
        task.cancel()
        request.setValue("Bearer abc", forHTTPHeaderField: "Authorization")
        let other = session.webSocketTask(with: request)
        other.resume()
        #expect(try await sent.first(2) == ["Basic dXNlcjpwYXNz", "Bearer abc"])
        other.cancel()
    }

    @Test("A refusal completes the task: its answer is there, and nothing was opened")
    func refusal() async throws {
        let listener = try RefusingServer()
        let recorder = Recorder()
        let url = try #require(URL(string: "ws://127.0.0.1:\(listener.port)/"))
        let task = session(recorder).webSocketTask(with: url)
        let received = Results<String>()
        task.receive { if case .failure(let error) = $0 { received.append(name(error)) } }
        task.resume()
        try await recorder.isComplete.awaited()
        #expect((task.error as? URLError)?.code == .badServerResponse)
        let underlying = (task.error as? URLError)?.errorUserInfo[NSUnderlyingErrorKey]
        #expect(underlying is WebSocketError)
        #expect((task.response as? HTTPURLResponse)?.statusCode == 403)
        #expect(try await received.first(1) == [name(task.error)])
        #expect(recorder.events == ["complete \(name(task.error))"])
        #expect(task.closeCode == .invalid)
    }

    @Test("The request's time-out limits the handshake")
    func timeout() async throws {
        let listener = try SilentServer()
        var request = URLRequest(url: try #require(URL(string: "ws://127.0.0.1:\(listener.port)/")))
        request.timeoutInterval = 0.2
        let recorder = Recorder()
        let task = session(recorder).webSocketTask(with: request)
        task.resume()
        try await recorder.isComplete.awaited()
        #expect((task.error as? URLError)?.code == .timedOut)
    }

    @Test("An invalid time-out means no limit", arguments: [0, -1, .nan, .infinity, 1e300])
    func oddTimeouts(seconds: Double) async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let known = fixture.task
        var request = try #require(known.originalRequest)
        request.timeoutInterval = seconds
        let recorder = Recorder()
        let task = session(recorder).webSocketTask(with: request)
        task.resume()
        try await recorder.isOpen.awaited()
        task.cancel()
    }
}

@Suite("A task sends and receives as Apple documents it", .blocking)
struct TaskMessageTests {
    @Test("Text and data keep their types")
    func kinds() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        task.resume()
        for message in [
            WebSocketTask.Message.string("grün"), .data(Data([0, 255, 1])), .string(""),
            .data(Data()),
        ] {
            try await task.send(message)
            #expect(try await task.receive() == message)
        }
    }

    @Test("A sent message has been handed to the system, not to the server")
    func written() async throws {
        let mayRead = Promise<Void>()
        let fixture = try Fixture { connection in
            try mayRead.value()
            try echo(connection)
        }
        defer { fixture.end() }
        let task = fixture.task
        task.resume()
        try await task.send(.string("unread"))
        mayRead.fulfil()
        #expect(try await task.receive() == .string("unread"))
    }

    @Test("Messages go out, and handlers are called, in the order of the calls")
    func order() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        let (sent, received) = (Results<Int>(), Results<String>())
        for number in 0..<200 {
            task.receive { if case .success(.string(let text)) = $0 { received.append(text) } }
            task.send(.string("\(number)")) { if $0 == nil { sent.append(number) } }
        }
        task.resume()
        #expect(try await received.first(200) == (0..<200).map { "\($0)" })
        #expect(try await sent.first(200) == Array(0..<200))
    }

    @Test("A fragmented message is delivered whole, to one call")
    func whole() async throws {
        let fixture = try Fixture { connection in
            try connection.write(
                WireFrame(.text, text: "one ", isFinal: false),
                WireFrame(.ping, [1]),
                WireFrame(.continuation, Array("message".utf8)),
                WireFrame(.text, text: "another")
            )
            connection.waitForEnd()
        }
        defer { fixture.end() }
        let task = fixture.task
        task.resume()
        #expect(try await task.receive() == .string("one message"))
        #expect(try await task.receive() == .string("another"))
    }

    @Test("A message above the maximum size fails receiving and the connection", arguments: [1, 3])
    func tooLarge(fragments: Int) async throws {
        let closeCode = Promise<[UInt8]>()
        let fixture = try Fixture { connection in
            let part = [UInt8](repeating: 7, count: (1 << 20) / fragments + 1)
            for index in 0..<fragments {
                try connection.write(
                    WireFrame(
                        index == 0 ? .binary : .continuation,
                        part,
                        isFinal: index == fragments - 1
                    )
                )
            }
            closeCode.fulfil(try connection.receiveClose())
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        #expect(task.maximumMessageSize == 1 << 20)
        task.resume()
        let error = await failure { try await task.receive() }
        #expect(name(error) == messageTooLong)
        try await recorder.isComplete.awaited()
        #expect(name(recorder.error) == messageTooLong)
        // RFC 6455 §7.4.1: 1009.
        #expect(try await closeCode.awaited().prefix(2) == [3, 241])
    }

    @Test("A larger maximum lets larger messages in")
    func larger() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        task.maximumMessageSize = 3 << 20
        task.resume()
        let message = WebSocketTask.Message.data(Data(repeating: 5, count: 3 << 20))
        try await task.send(message)
        #expect(try await task.receive() == message)
    }

    @Test("The amount read ahead is bounded")
    func bounded() async throws {
        let written = Atomic<Int>(0)
        let fixture = try Fixture { connection in
            let message = [UInt8](repeating: 1, count: 512 << 10)
            for _ in 0..<200 {
                try connection.send(binary: message)
                try connection.flush()
                written.add(1, ordering: .relaxed)
            }
            connection.waitForEnd()
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isOpen.awaited()
        try await Task.sleep(for: .milliseconds(200))
        // Two or three are kept, and sockets hold several megabytes.
        #expect(written.load(ordering: .relaxed) < 100)
        for _ in 0..<200 { _ = try await task.receive() }
    }

    @Test("Cancelling a Swift task that receives loses nothing")
    func cancelledReceive() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        task.resume()
        for number in 0..<100 {
            let waiting = Task { try await task.receive() }
            if number % 2 == 0 { await Task.yield() }
            waiting.cancel()
            guard case .failure(let error) = await waiting.result else {
                Issue.record("an unexpected message came")
                continue
            }
            #expect(error is CancellationError)
            try await task.send(.string("\(number)"))
            #expect(try await task.receive() == .string("\(number)"))
        }
    }

    @Test("Handlers and delegate run on the session's queue, one at a time")
    func queue() async throws {
        let server = try LoopbackServer(script: echo)
        defer { server.stop() }
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 1
        let running = Atomic<Int>(0)
        let strangers = Atomic<Int>(0)
        let calls = Results<String>()
        let check: @Sendable (String) -> Void = { name in
            if OperationQueue.current !== queue { strangers.add(1, ordering: .relaxed) }
            if running.add(1, ordering: .relaxed).newValue != 1 {
                strangers.add(1, ordering: .relaxed)
            }
            pause(.milliseconds(1))
            running.subtract(1, ordering: .relaxed)
            calls.append(name)
        }
        let recorder = Recorder()
        let url = try #require(URL(string: server.url()))
        let task = session(recorder, queue: queue).webSocketTask(with: url)
        for _ in 0..<20 {
            task.receive { _ in check("receive") }
            task.send(.string("x")) { _ in check("send") }
            task.sendPing { _ in check("ping") }
        }
        task.resume()
        _ = try await calls.first(60)
        #expect(strangers.load(ordering: .relaxed) == 0)
        task.cancel()
    }

    @Test("A handler may call the task again")
    func reentrant() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        let received = Results<String>()
        @Sendable func next() {
            task.receive { result in
                guard case .success(.string(let text)) = result else { return }
                received.append(text)
                guard received.all.count < 50 else { return task.cancel() }
                task.send(.string(text + "x")) { _ in next() }
            }
        }
        task.send(.string("")) { _ in next() }
        task.resume()
        #expect(try await received.first(50).last?.count == 49)
    }

    @Test("A suspended task neither sends nor reads, and goes on when it is resumed")
    func suspension() async throws {
        let arrived = Results<String>()
        let fixture = try Fixture { connection in
            while true {
                let (_, payload) = try connection.receive()
                arrived.append(String(decoding: payload, as: UTF8.self))
            }
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isOpen.awaited()
        task.suspend()
        #expect(task.state == .suspended)
        task.send(.string("later")) { _ in }
        try await Task.sleep(for: .milliseconds(50))
        #expect(arrived.all == [])
        task.resume()
        #expect(try await arrived.first(1) == ["later"])
    }
}

@Suite("A task pings as Apple documents it", .blocking)
struct TaskPingTests {
    @Test("A ping's handler is called when its pong comes, even if nobody receives")
    func pong() async throws {
        let fixture = try Fixture(server: echo)
        defer { fixture.end() }
        let task = fixture.task
        let pongs = Results<String>()
        task.sendPing { pongs.append(name($0)) }
        task.resume()
        #expect(try await pongs.first(1) == ["-"])
    }

    @Test("Handlers are called in the order of the pings, even if one pong answers several")
    func order() async throws {
        let fixture = try Fixture { connection in
            var last: [UInt8] = []
            for _ in 0..<3 {
                let piece = try connection.nextPiece()
                last = Array(piece.bytes)
            }
            // The first pong is unsolicited.
            try connection.write(WireFrame(.pong, [1, 2, 3]), WireFrame(.pong, last))
            connection.waitForEnd()
        }
        defer { fixture.end() }
        let task = fixture.task
        let pongs = Results<Int>()
        for number in 0..<3 { task.sendPing { if $0 == nil { pongs.append(number) } } }
        task.resume()
        #expect(try await pongs.first(3) == [0, 1, 2])
    }

    @Test("A ping's handler gets the error of a connection that is lost")
    func lost() async throws {
        let fixture = try Fixture { connection in
            _ = try connection.nextPiece()
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        let pongs = Results<String>()
        task.sendPing { pongs.append(name($0)) }
        task.resume()
        let lost = "URLError \(URLError.Code.networkConnectionLost.rawValue)"
        #expect(try await pongs.first(1) == [lost])
        try await recorder.isComplete.awaited()
        #expect(name(task.error) == lost)
        #expect(task.closeCode == .abnormalClosure)
        #expect(recorder.events == ["open -", "complete \(lost)"])
    }
}

@Suite("A task ends as Apple documents it", .blocking)
struct TaskEndTests {
    /// Closes at once.
    private static func closing(_ code: UInt16, _ reason: String) -> LoopbackServer.Script {
        { connection in
            try connection.write(
                WireFrame(.close, [UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8))
            )
            _ = try connection.receiveClose()
        }
    }

    @Test("The delegate gets the code and reason of the server's close frame, and no error")
    func closedByServer() async throws {
        let fixture = try Fixture(server: Self.closing(4001, "bye"))
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        let received = Results<String>()
        task.receive { if case .failure(let error) = $0 { received.append(name(error)) } }
        #expect(task.closeCode == .invalid)
        #expect(task.closeReason == nil)
        task.resume()
        try await recorder.isComplete.awaited()
        #expect(recorder.events == ["open -", "close 4001 bye", "complete -"])
        #expect(task.closeCode == .other(4001))
        #expect(task.closeReason == Data("bye".utf8))
        #expect(task.error == nil)
        #expect(task.state == .completed)
        #expect(try await received.first(1) == [notConnected])
    }

    @Test("A close frame without a code is reported as one")
    func withoutCode() async throws {
        let fixture = try Fixture { connection in
            try connection.write(WireFrame(.close))
            _ = try connection.receiveClose()
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isComplete.awaited()
        #expect(task.closeCode == .noStatusReceived)
        #expect(task.closeReason == nil)
    }

    @Test("Messages that the server sent before it closed can still be received")
    func unread() async throws {
        let fixture = try Fixture { connection in
            try connection.write(WireFrame(.text, text: "last"), WireFrame(.close, [3, 232]))
            _ = try connection.receiveClose()
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isComplete.awaited()
        #expect(try await task.receive() == .string("last"))
        let error1 = await failure { try await task.receive() }
        #expect(name(error1) == notConnected)
        let error2 = await failure { try await task.send(.string("x")) }
        #expect(name(error2) == notConnected)
    }

    @Test("Cancelling with a code closes with it, after the queued messages")
    func cancelWithCode() async throws {
        let (arrived, close) = (Results<String>(), Promise<[UInt8]>())
        let fixture = try Fixture { connection in
            while true {
                let piece = try connection.nextPiece()
                if piece.opcode == .close {
                    close.fulfil(Array(piece.bytes))
                    return try connection.write(WireFrame(.close, Array(piece.bytes)))
                }
                arrived.append(String(decoding: Array(piece.bytes), as: UTF8.self))
            }
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isOpen.awaited()
        let received = Results<String>()
        task.receive { if case .failure(let error) = $0 { received.append(name(error)) } }
        for number in 0..<20 { task.send(.string("\(number)")) { _ in } }
        task.cancel(with: .policyViolation, reason: Data("enough".utf8))
        #expect(task.state == .canceling || task.state == .completed)
        #expect(try await received.first(1) == [cancelled])
        try await recorder.isComplete.awaited()
        #expect(arrived.all == (0..<20).map { "\($0)" })
        #expect(try await close.awaited() == [3, 240] + Array("enough".utf8))
        #expect(recorder.events == ["open -", "close 1008 enough", "complete \(cancelled)"])
        #expect(task.closeCode == .policyViolation)
        #expect(task.closeReason == Data("enough".utf8))
    }

    @Test(
        "Codes that may not be sent go out as 1001",
        arguments: [0, 1005, 1006, 1015, 70_000, -1]
    )
    func unsendable(code: Int) async throws {
        let close = Promise<[UInt8]>()
        let fixture = try Fixture { connection in
            close.fulfil(try connection.receiveClose())
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isOpen.awaited()
        task.cancel(with: try #require(WebSocketTask.CloseCode(rawValue: code)), reason: nil)
        #expect(try await close.awaited() == [3, 233])
    }

    @Test("Cancelling fails all outstanding calls, and closes without a reason")
    func cancel() async throws {
        let close = Promise<[UInt8]>()
        let fixture = try Fixture { connection in
            close.fulfil(try connection.receiveClose())
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        task.resume()
        try await recorder.isOpen.awaited()
        let outcomes = Results<String>()
        task.receive { if case .failure(let error) = $0 { outcomes.append(name(error)) } }
        task.cancel()
        #expect(try await outcomes.first(1) == [cancelled])
        let error3 = await failure { try await task.send(.string("x")) }
        #expect(name(error3) == cancelled)
        let error4 = await failure { try await task.receive() }
        #expect(name(error4) == cancelled)
        #expect(try await close.awaited() == [3, 233])
        try await recorder.isComplete.awaited()
        #expect(recorder.events == ["open -", "complete \(cancelled)"])
        #expect(task.state == .completed)
    }

    @Test("A task that was never resumed is cancelled without connecting")
    func cancelNew() async throws {
        let fixture = try Fixture { _ in
            Issue.record("it has connected")
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        let sent = Results<String>()
        task.send(.string("x")) { sent.append(name($0)) }
        task.cancel()
        try await recorder.isComplete.awaited()
        #expect(recorder.events == ["complete \(cancelled)"])
        #expect(try await sent.first(1) == [cancelled])
        task.resume()
        #expect(task.state == .completed)
    }

    @Test("A connecting task is cancelled at once")
    func cancelConnecting() async throws {
        let listener = try SilentServer()
        let recorder = Recorder()
        let url = try #require(URL(string: "ws://127.0.0.1:\(listener.port)/"))
        let task = session(recorder).webSocketTask(with: url)
        task.resume()
        try await listener.isConnected.awaited()
        task.cancel()
        try await recorder.isComplete.awaited()
        #expect(name(recorder.error) == cancelled)
        #expect(recorder.events == ["complete \(cancelled)"])
    }

    @Test("A server that reads nothing doesn't keep a task from ending")
    func stubbornServer() async throws {
        let isOver = Promise<Void>()
        let server = try LoopbackServer { _ in try isOver.value() }
        defer {
            isOver.fulfil()
            server.stop()
        }
        var options = ConnectOptions()
        options.proxy = .none
        options.timeouts.close = .milliseconds(100)
        let recorder = Recorder()
        let session = WebSocketSession(
            configuration: .ephemeral,
            delegate: recorder,
            options: options
        )
        let task = session.webSocketTask(with: try #require(URL(string: server.url())))
        task.resume()
        let sent = Results<String>()
        for _ in 0..<4 {
            task.send(.data(Data(repeating: 1, count: 16 << 20))) { sent.append(name($0)) }
        }
        try await recorder.isOpen.awaited()
        task.cancel(with: .normalClosure, reason: nil)
        try await recorder.isComplete.awaited()
        #expect(try await sent.first(4).count == 4)
        #expect(task.closeCode == .normalClosure)
    }

    @Test("One failed send fails all outstanding calls")
    func failedSend() async throws {
        let mayEnd = Promise<Void>()
        let fixture = try Fixture { _ in
            try mayEnd.value()
        }
        defer { fixture.end() }
        let task = fixture.task
        let recorder = fixture.recorder
        let outcomes = Results<String>()
        for _ in 0..<3 {
            task.send(.data(Data(repeating: 1, count: 16 << 20))) { outcomes.append(name($0)) }
        }
        task.sendPing { outcomes.append(name($0)) }
        task.receive { if case .failure(let error) = $0 { outcomes.append(name(error)) } }
        task.resume()
        try await recorder.isOpen.awaited()
        mayEnd.fulfil()
        let all = try await outcomes.first(5)
        #expect(all.count == 5 && !all.contains("-"), "\(all)")
        try await recorder.isComplete.awaited()
    }

    @Test("A running task is retained only until it has completed")
    func lifetime() async throws {
        let server = try LoopbackServer(script: Self.closing(1000, ""))
        defer { server.stop() }
        let recorder = Recorder()
        weak var kept: WebSocketTask?
        do {
            let url = try #require(URL(string: server.url()))
            let task = session(recorder).webSocketTask(with: url)
            kept = task
            task.resume()
        }
        try await recorder.isComplete.awaited()
        let limit = ContinuousClock.now + .seconds(60)
        while kept != nil, ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(kept == nil)
    }

    @Test("An invalidated session ends its tasks, tells its delegate, and releases it")
    func invalidation() async throws {
        let server = try LoopbackServer(script: echo)
        defer { server.stop() }
        let recorder = Recorder()
        let session = session(recorder)
        let url = try #require(URL(string: server.url()))
        let running = session.webSocketTask(with: url)
        let new = session.webSocketTask(with: url)
        running.resume()
        try await recorder.isOpen.awaited()
        session.invalidateAndCancel()
        try await recorder.isInvalid.awaited()
        #expect(recorder.events.last == "invalid")
        #expect(recorder.events.filter { $0 == "complete \(cancelled)" }.count == 2)
        #expect(session.delegate == nil)
        let late = session.webSocketTask(with: url)
        late.resume()
        #expect(late.state == .completed && running.state == .completed && new.state == .completed)
    }

    @Test("A session that finishes its tasks waits for them")
    func finishing() async throws {
        let server = try LoopbackServer(script: echo)
        defer { server.stop() }
        let recorder = Recorder()
        let session = session(recorder)
        let task = session.webSocketTask(with: try #require(URL(string: server.url())))
        task.resume()
        session.finishTasksAndInvalidate()
        try await task.send(.string("still"))
        #expect(try await task.receive() == .string("still"))
        #expect(!recorder.isInvalid.isFulfilled)
        task.cancel()
        try await recorder.isInvalid.awaited()
    }

    @Test("Close codes have Apple's numbers")
    func codes() {
        for number in [0, 1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1015] {
            let code = WebSocketTask.CloseCode(rawValue: number)
            #expect(code?.rawValue == number)
            if case .other? = code { Issue.record("\(number) has a name") }
        }
        #expect(WebSocketTask.CloseCode(rawValue: 4000) == .other(4000))
        #expect(WebSocketTask.CloseCode.messageTooBig.rawValue == 1009)
    }
}
