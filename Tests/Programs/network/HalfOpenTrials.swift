import TestSupport
import WebSocketClient

/// Connections whose packets are lost: for the client, the peer is still there.
enum HalfOpenTrials {
    static let all: [Trial] = trials(isSecure: false) + trials(isSecure: true) + tcp

    private static func trials(isSecure: Bool) -> [Trial] {
        let way = isSecure ? "over TLS: " : "in the clear: "
        return [
            Trial("\(way)a receive ends by its limit, and goes on when packets pass again") {
                link in
                let socket = try Trial.connect(isSecure: isSecure)
                try link.lose()
                let error = try Trial.failure { try socket.receive() }
                try Trial.check(error.isReceiveTimeout, "\(error)")
                try socket.send("late")
                link.restore()
                socket.timeout = .ample
                try Trial.check(try socket.receive() == .text("late"), "another message")
            },
            Trial("\(way)a send ends by its limit, and the rest follows when packets pass again") {
                link in
                let socket = try Trial.connect(isSecure: isSecure)
                let bytes = (0..<(16 << 20)).map { UInt8(truncatingIfNeeded: $0 / 251) }
                try link.lose()
                let error = try Trial.failure { try socket.send(binary: bytes) }
                try Trial.check(error.isAccepted == true, "\(error)")
                link.restore()
                socket.timeout = .ample
                try Trial.check(try socket.receive() == .binary(bytes), "another message")
            },
            Trial("\(way)close ends by its limit") { link in
                let socket = try Trial.connect(isSecure: isSecure)
                try link.lose()
                var answer: ClosePayload?
                let time = try elapsed { answer = try socket.close() }
                try Trial.check(
                    answer == nil && time < Trial.limit,
                    "\(String(describing: answer))"
                )
            },
            Trial("\(way)keepalive notices, and the app is back when packets pass again") { link in
                try keepalive(link, Trial.url(isSecure: isSecure))
            },
        ]
    }

    private static func keepalive(_ link: Link, _ url: String) throws {
        let errors = Locked<[String]>([])
        let app = WebSocketApp(
            url: url,
            onOpen: { _ in try link.lose() },
            onReconnect: { app in app.close() },
            onError: { _, error in
                errors.withLock { $0.append("\(error)") }
                link.restore()
            },
            options: Trial.options()
        )
        _ = try app.runForever(
            pingInterval: .seconds(1),
            pingTimeout: .milliseconds(500),
            reconnect: .every(.milliseconds(10))
        )
        let seen = errors.withLock { $0 }
        try Trial.check(seen.first == "Time ran out during the wait for a pong.", "\(seen)")
    }

    /// What TCP itself notices.
    private static let tcp: [Trial] = [
        Trial("TCP's own probes end a receive that has no limit") { link in
            let socket = try Trial.connect {
                $0.timeouts.receive = nil
                $0.socketOptions = [
                    .keepAliveIdle(seconds: 1), .keepAliveInterval(seconds: 1), .keepAliveCount(2),
                ]
            }
            try link.lose()
            try expectLoss("Connection timed out", try Trial.failure { try socket.receive() })
        },
        Trial("Bytes that nobody acknowledges end a receive that has no limit (userTimeout)") {
            link in
            let socket = try Trial.connect {
                $0.timeouts.receive = nil
                $0.socketOptions = [.userTimeout(milliseconds: 2000)]
            }
            try link.lose()
            try socket.send("is anybody there?")
            try expectLoss("Connection timed out", try Trial.failure { try socket.receive() })
        },
        Trial("A peer that was reset meanwhile is noticed with the next bytes") { link in
            let socket = try Trial.connect()
            try socket.send(FarServer.reset)
            try link.lose()
            pause(.seconds(2))
            link.restore()
            let error = try Trial.failure { try socket.receive() }
            try Trial.check(error.isReceiveTimeout, "\(error)")
            try socket.send("still there?")
            socket.timeout = .ample
            try expectLoss("Connection reset by peer", try Trial.failure { try socket.receive() })
        },
        Trial("Connecting to an address that doesn't answer ends by its limit") { link in
            try link.lose()
            let error = try Trial.failure { try Trial.connect() }
            guard case .timedOut(.connecting) = error else { throw error }
        },
    ]

    private static func expectLoss(_ words: String, _ error: WebSocketError) throws {
        guard let cause = error.closure?.cause else { throw error }
        try Trial.check(cause.contains(words), "\(error)")
    }
}
