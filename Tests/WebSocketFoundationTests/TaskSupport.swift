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

/// Records the calls of a session's delegate.
final class Recorder: NSObject, WebSocketSessionDelegate {
    private let lines = Locked<[String]>([])
    private let errors = Locked<[(any Error)?]>([])
    let isComplete = Promise<Void>()
    let isOpen = Promise<Void>()
    let isInvalid = Promise<Void>()

    var events: [String] { lines.withLock { $0 } }
    /// The error with which the task has completed.
    var error: (any Error)? { errors.withLock { $0.first ?? nil } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didOpenWithProtocol protocol: String?
    ) {
        note("open \(`protocol` ?? "-")")
        isOpen.fulfil()
    }

    func urlSession(
        _ session: WebSocketSession,
        webSocketTask: WebSocketTask,
        didCloseWith closeCode: WebSocketTask.CloseCode,
        reason: Data?
    ) {
        note(
            "close \(closeCode.rawValue) \(reason.map { String(decoding: $0, as: UTF8.self) } ?? "-")"
        )
    }

    func urlSession(
        _ session: WebSocketSession,
        task: WebSocketTask,
        didCompleteWithError error: (any Error)?
    ) {
        errors.withLock { $0.append(error) }
        note("complete \(name(error))")
        isComplete.fulfil()
    }

    func urlSession(_ session: WebSocketSession, didBecomeInvalidWithError error: (any Error)?) {
        note("invalid")
        isInvalid.fulfil()
    }
}

/// An error as its domain's name and number; `-` for none.
func name(_ error: (any Error)?) -> String {
    switch error {
    case nil: "-"
    case let error as URLError: "URLError \(error.code.rawValue)"
    case let error as POSIXError: "POSIXError \(error.code.rawValue)"
    case let error?: "\(error)"
    }
}

let cancelled = "URLError \(URLError.Code.cancelled.rawValue)"
let notConnected = "POSIXError \(POSIXError.Code.ENOTCONN.rawValue)"
let messageTooLong = "POSIXError \(POSIXError.Code.EMSGSIZE.rawValue)"

/// Results of completion handlers, in the order of their calls.
final class Results<Value: Sendable>: Sendable {
    private let values = Locked<[Value]>([])

    var all: [Value] { values.withLock { $0 } }
    func append(_ value: Value) { values.withLock { $0.append(value) } }

    /// Waits until there are this many.
    func first(_ count: Int) async throws -> [Value] {
        let limit = ContinuousClock.now + .seconds(120)
        while all.count < count, ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(2))
        }
        return all
    }
}

extension Promise {
    /// Waits for the value without blocking a thread.
    func awaited() async throws -> Value {
        let limit = ContinuousClock.now + .seconds(120)
        while !isFulfilled, ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(2))
        }
        return try value(within: .milliseconds(1))
    }
}

func session(
    _ recorder: Recorder,
    configuration: URLSessionConfiguration = .ephemeral,
    queue: OperationQueue? = nil
) -> WebSocketSession {
    var options = ConnectOptions()
    options.proxy = .none
    return WebSocketSession(
        configuration: configuration,
        delegate: recorder,
        delegateQueue: queue,
        options: options
    )
}

/// A task, not yet resumed, and the server that it will connect to.
struct Fixture {
    let task: WebSocketTask
    let recorder = Recorder()
    private let server: LoopbackServer

    init(server script: @escaping LoopbackServer.Script) throws {
        server = try LoopbackServer(script: script)
        let url = try #require(URL(string: server.url()))
        task = session(recorder).webSocketTask(with: url)
    }

    func end() {
        task.cancel()
        server.stop()
    }
}

/// Returns each message.
let echo: LoopbackServer.Script = { connection in
    while true {
        let (opcode, payload) = try connection.receive()
        try payload.withUnsafeBytes { try connection.send(opcode, $0) }
        try connection.flush()
    }
}

/// The error of an async call; `nil` if it returned.
func failure(_ body: () async throws -> some Any) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

/// A server that answers every handshake with 403.
struct RefusingServer {
    private let listener: Listener
    var port: UInt16 { listener.port }

    init() throws {
        let listener = try Listener()
        self.listener = listener
        try Threads.start {
            guard let stream = try? listener.accept(until: .never) else { return }
            let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nno"
            try? stream.writeAll(Array(answer.utf8))
            pause(.seconds(2))
        }
    }
}

/// A server that takes a connection and stays silent.
struct SilentServer {
    private let listener: Listener
    let isConnected = Promise<Void>()
    var port: UInt16 { listener.port }

    init() throws {
        let listener = try Listener()
        self.listener = listener
        try Threads.start { [isConnected] in
            let stream = try? listener.accept(until: .never)
            isConnected.fulfil()
            while let stream, (try? stream.readSome()) != nil {}
        }
    }
}
