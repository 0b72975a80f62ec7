import Glibc
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Dispatcher", .blocking, .serialized)
struct DispatcherTests {
    @Test("Many apps share one thread, and each has its own callbacks and reconnection")
    func manyApps() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let dispatcher = try Dispatcher()
        let threads = Locked<Set<UInt>>([])
        let journals = (0..<20).map { _ in Journal() }
        for (number, journal) in journals.enumerated() {
            let app = WebSocketApp.noting(
                in: journal,
                url: server.url(),
                onOpen: { app in
                    _ = threads.withLock { $0.insert(UInt(pthread_self())) }
                    try app.send("\(number)")
                },
                onMessage: { app, _ in
                    _ = threads.withLock { $0.insert(UInt(pthread_self())) }
                    if journal.count(of: "text") == 3 { return app.close() }
                    try app.send("\(number)")
                }
            )
            #expect(try app.runForever(dispatcher: dispatcher) == false)
            #expect(app.isRunning)
        }
        try dispatcher.dispatch()
        for (number, journal) in journals.enumerated() {
            let text = "text \(number)"
            #expect(journal.entries == ["open", text, text, text, "close 1000 "])
        }
        #expect(threads.withLock { $0 } == [UInt(pthread_self())])
    }

    @Test("A server that doesn't answer the handshake doesn't hold up other apps")
    func deafServer() throws {
        let listener = try Listener()
        let server = try LoopbackServer()
        defer {
            server.stop()
            listener.close()
        }
        let dispatcher = try Dispatcher()
        let deaf = WebSocketApp(url: "ws://127.0.0.1:\(listener.port)/", options: patientOptions)
        try deaf.runForever(dispatcher: dispatcher)
        let journal = Journal()
        let app = WebSocketApp.noting(
            in: journal,
            url: server.url(),
            onOpen: { try $0.send("x") }
        )
        app.onMessage = { app, _ in
            deaf.close()
            app.close()
        }
        try app.runForever(dispatcher: dispatcher)
        try dispatcher.dispatch()
        #expect(journal.entries == ["open", "close 1000 "])
    }

    @Test("stop() closes all apps, and dispatch() returns")
    func stop() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let dispatcher = try Dispatcher()
        let journal = Journal()
        for _ in 0..<5 {
            let app = WebSocketApp.noting(
                in: journal,
                url: server.url(),
                onOpen: { _ in if journal.count(of: "open") == 5 { dispatcher.stop() } }
            )
            try app.runForever(dispatcher: dispatcher, reconnect: .every(.milliseconds(1)))
        }
        try dispatcher.dispatch()
        #expect(journal.count(of: "open") == 5)
        #expect(journal.count(of: "close 1000") == 5)
        #expect(journal.count(of: "error") == 0)
    }

    @Test("A signal is reported on the dispatching thread, and has its former effect afterwards")
    func signals() throws {
        let server = try LoopbackServer()
        defer { server.stop() }
        let journal = Journal()
        let thread = UInt(pthread_self())
        var former = sigaction()
        sigaction(SIGURG, nil, &former)
        #expect(former.__sigaction_handler.sa_handler == nil)
        do {
            let dispatcher = try Dispatcher()
            let app = WebSocketApp.noting(
                in: journal,
                url: server.url(),
                onOpen: { _ in kill(getpid(), SIGURG) }
            )
            try app.runForever(dispatcher: dispatcher)
            try dispatcher.signal(SIGURG) { [weak dispatcher] in
                journal.note("signal \(UInt(pthread_self()) == thread)")
                dispatcher?.stop()
            }
            try dispatcher.dispatch()
        }
        #expect(journal.entries == ["open", "signal true", "close 1000 "])
        // The thread that reported the signal may be the last to release the dispatcher.
        #expect(
            eventually {
                sigaction(SIGURG, nil, &former)
                return former.__sigaction_handler.sa_handler == nil
            }
        )
    }

    @Test("A signal is watched until dispatch() returns, though its function holds the dispatcher")
    func signalEnds() throws {
        weak var former: Dispatcher?
        do {
            let dispatcher = try Dispatcher()
            former = dispatcher
            try dispatcher.signal(SIGWINCH) { dispatcher.stop() }
            try dispatcher.dispatch()
        }
        #expect(former == nil)
        var action = sigaction()
        sigaction(SIGWINCH, nil, &action)
        #expect(action.__sigaction_handler.sa_handler == nil)
    }

    @Test("Apps whose dispatcher is released before dispatch() no longer run, and keep nothing")
    func neverDispatched() throws {
        weak var former: Dispatcher?
        let app = WebSocketApp(url: "ws://127.0.0.1:1/")
        do {
            let dispatcher = try Dispatcher()
            former = dispatcher
            try app.runForever(dispatcher: dispatcher)
            #expect(app.isRunning)
        }
        #expect(former == nil)
        #expect(!app.isRunning)
        app.close()
    }

    /// Options with which no test ends by a time-out.
    private var patientOptions: ConnectOptions {
        var options = ConnectOptions()
        options.timeouts = Timeouts(all: .endless)
        return options
    }

    @Test(
        "Many unresponsive servers don't hold up another app, and stop() ends all attempts at once"
    )
    func silentServers() throws {
        let listener = try Listener()
        let server = try LoopbackServer()
        defer {
            server.stop()
            listener.close()
        }
        let dispatcher = try Dispatcher()
        let journal = Journal()
        let silent = "ws://127.0.0.1:\(listener.port)/"
        for _ in 0..<48 {
            let app = WebSocketApp.noting(in: journal, url: silent, options: patientOptions)
            try app.runForever(dispatcher: dispatcher, reconnect: .every(.zero))
        }
        let app = WebSocketApp(
            url: server.url(),
            onOpen: { _ in
                journal.note("open")
                dispatcher.stop()
            }
        )
        try app.runForever(dispatcher: dispatcher)
        let (_, time) = try timed { try dispatcher.dispatch() }
        #expect(time < .ample)
        #expect(journal.count(of: "open") == 1)
        #expect(journal.count(of: "close 1006") == 48)
        #expect(journal.count(of: "error") == 0)
    }

    @Test("stop() before dispatch() is remembered")
    func stoppedEarly() throws {
        let listener = try Listener()
        defer { listener.close() }
        let dispatcher = try Dispatcher()
        for _ in 0..<3 {
            let app = WebSocketApp(
                url: "ws://127.0.0.1:\(listener.port)/",
                options: patientOptions
            )
            try app.runForever(dispatcher: dispatcher, reconnect: .every(.zero))
        }
        dispatcher.stop()
        let (_, time) = try timed { try dispatcher.dispatch() }
        #expect(time < .ample)
    }

    @Test("stop() drops what is scheduled, and doesn't wait for it")
    func stopScheduled() throws {
        let dispatcher = try Dispatcher()
        dispatcher.schedule(after: .endless) { Issue.record("it was dropped") }
        dispatcher.schedule(after: .zero) { dispatcher.stop() }
        let (_, time) = try timed { try dispatcher.dispatch() }
        #expect(time < .ample)
    }

    @Test("A dispatcher with nothing to do returns at once, and runs once at a time")
    func edges() throws {
        let dispatcher = try Dispatcher()
        try dispatcher.dispatch()
        let refused = Atomic<Bool>(false)
        dispatcher.schedule(after: .zero) {
            do { try dispatcher.dispatch() } catch { refused.store(true, ordering: .relaxed) }
        }
        try dispatcher.dispatch()
        #expect(refused.load(ordering: .relaxed) == true)
    }

    @Test("A scheduled function is called once, on the dispatching thread, and not before its time")
    func schedule() throws {
        let dispatcher = try Dispatcher()
        let calls = Locked<[(thread: pthread_t, order: Int)]>([])
        for (order, delay) in [Duration.seconds(1), .milliseconds(500), .zero].enumerated() {
            dispatcher.schedule(after: delay) {
                calls.withLock { $0.append((pthread_self(), order)) }
            }
        }
        let (_, time) = try timed { try dispatcher.dispatch() }
        #expect(time >= .seconds(1))
        #expect(calls.withLock { $0.map(\.order) } == [2, 1, 0])
        #expect(calls.withLock { $0.allSatisfy { pthread_equal($0.thread, pthread_self()) != 0 } })
    }
}
