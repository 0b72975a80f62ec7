import TestSupport
import WebSocketClient

/// A name server whose answers don't come.
enum ResolverTrials {
    private static func failure(_ timeout: Duration) throws -> WebSocketError {
        try Trial.failure { try Trial.connect(to: "slow.test") { $0.timeouts.connect = timeout } }
    }

    static let all = [
        Trial("A name that isn't answered ends by the limit for connecting") { _ in
            let error = try failure(.seconds(1))
            guard case .timedOut(.resolution) = error else { throw error }
        },
        Trial("Attempts without end for such a name take one thread") { _ in
            _ = try failure(.milliseconds(10))
            let before = Descriptors.threads
            for _ in 0..<100 { _ = try failure(.milliseconds(1)) }
            try Trial.check(
                Descriptors.threads <= before,
                "\(Descriptors.threads) threads, \(before) before"
            )
        },
        Trial("Meanwhile other names are found") { _ in
            _ = try failure(.milliseconds(10))
            let socket = try Trial.connect()
            try socket.send("hello")
            try Trial.check(try socket.receive() == .text("hello"), "no echo")
        },
        Trial("abort ends the wait for such a name") { _ in
            let socket = WebSocket(options: Trial.options { $0.timeouts.connect = .endless })
            let connecting = Background {
                try Trial.failure { try socket.connect(to: Trial.url("slow.test")) }
            }
            pause(.milliseconds(200))
            socket.abort()
            let error = try connecting.join()
            try Trial.check(error.isAborted, "\(error)")
        },
        Trial("An app reports each attempt, and ends when it is closed") { _ in
            let errors = Locked<[String]>([])
            let app = WebSocketApp(
                url: Trial.url("slow.test"),
                onError: { app, error in
                    let count = errors.withLock { errors in
                        errors.append("\(error)")
                        return errors.count
                    }
                    if count == 3 { app.close() }
                },
                options: Trial.options { $0.timeouts.connect = .milliseconds(100) }
            )
            _ = try app.runForever(reconnect: .every(.milliseconds(10)))
            let seen = errors.withLock { $0 }
            let expected = "Time ran out during name resolution."
            try Trial.check(seen == [expected, expected, expected], "\(seen)")
        },
    ]
}
