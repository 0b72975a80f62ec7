import LoopbackServer
import Synchronization
import WebSocketClient

/// What happened, in order.
final class Journal: Sendable {
    private let lines = Locked<[String]>([])

    var entries: [String] { lines.withLock { $0 } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    func count(of prefix: String) -> Int { entries.filter { $0.hasPrefix(prefix) }.count }
}

extension WebSocketApp {
    /// An app that records every callback.
    static func noting(
        in journal: Journal,
        url: String,
        onOpen: Callback? = nil,
        onMessage: MessageCallback? = nil,
        onClose: CloseCallback? = nil,
        options: ConnectOptions = ConnectOptions()
    ) -> WebSocketApp {
        WebSocketApp(
            url: url,
            onOpen: { app in
                journal.note("open")
                try onOpen?(app)
            },
            onReconnect: { app in
                journal.note("reconnect")
                try onOpen?(app)
            },
            onMessage: { app, message in
                switch message {
                case .text(let text): journal.note("text \(text)")
                case .binary(let bytes): journal.note("binary \(bytes)")
                }
                try onMessage?(app, message)
            },
            onError: { _, error in journal.note("error \(error)") },
            onClose: { app, code, reason in
                journal.note("close \(code) \(reason)")
                try onClose?(app, code, reason)
            },
            onPing: { _, payload in journal.note("ping \(payload)") },
            onPong: { _, payload in journal.note("pong \(payload)") },
            options: options
        )
    }
}

/// Runs `body`, and returns the time it took as well.
func timed<Result>(_ body: () throws -> Result) rethrows -> (Result, Duration) {
    let clock = ContinuousClock()
    let start = clock.now
    let result = try body()
    return (result, start.duration(to: clock.now))
}
