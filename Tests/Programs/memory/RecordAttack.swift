import Synchronization
import TestSupport
import WebSocketClient
import WebSocketProtocol

/// TLS records without data, or with hardly any, as fast as a server can send them, in each phase of a
/// connection.
struct RecordAttack: Attack {
    /// What the server sends again and again.
    enum Flood: String, CaseIterable {
        // Before there are keys.
        case helloRequests, cipherChanges, emptyMessages, plainWarnings
        // With the keys.
        case tickets, keyUpdates, keyUpdatesAskingForOne, emptyData, warnings
        /// Tickets, as many as are allowed without data, and then a byte of it.
        case ticketsBetweenBytes

        static let plain: [Flood] = [
            .helloRequests, .cipherChanges, .emptyMessages, .plainWarnings,
        ]
        static let sealed = allCases.filter { !plain.contains($0) }
    }

    /// What the client is doing.
    enum Phase: String, CaseIterable {
        case tlsHandshake, proxyTLSHandshake
        case proxyAnswer, answer, receive, receiveParts, close, dispatch
    }

    let flood: Flood
    let phase: Phase

    static let all = Phase.allCases.flatMap { phase in
        let isBeforeKeys = phase == .tlsHandshake || phase == .proxyTLSHandshake
        return (isBeforeKeys ? Flood.plain : Flood.sealed).map {
            RecordAttack(flood: $0, phase: phase)
        }
    }

    var name: String { "records-\(phase)-\(flood)" }
    var words: String { "\(phase): sends \(flood) without end" }
    /// OpenSSL's buffers, and this package's, of some records each.
    var maximumGrowth: Int { 2 << 10 }

    /// The call's limit, and 100 ms.
    var maximumDuration: Duration {
        switch phase {
        // The last call begins just before the two seconds are over.
        case .receiveParts: .milliseconds(3100)
        // As long as the other app and the timer need.
        case .dispatch: .seconds(20)
        default: .milliseconds(1100)
        }
    }
}

// MARK: The server

extension RecordAttack {
    func serve(_ stream: any ByteStream) throws {
        if Flood.plain.contains(flood) {
            _ = try stream.readSome()
            let records = Array(repeatElement(plainRecord, count: 5000).joined())
            while true { try stream.writeAll(records) }
        }
        let server = TLSMemoryPeer(over: stream, try Certificates.shared.get(), isSealed: true)
        try server.accept()
        var sealer = try server.makeSealer()
        let request = try server.read()
        let hasKeptByte = flood == .ticketsBetweenBytes
        if phase == .proxyAnswer || phase == .answer {
            // A header field that never ends.
            if hasKeptByte {
                try stream.writeAll(sealer.seal(.data, Array("HTTP/1.1 101 Answer\r\nA: ".utf8)))
            }
        } else {
            try stream.writeAll(sealer.seal(.data, try Self.acceptance(of: request)))
            // A message that never ends, of a size that is allowed.
            let frame = WireFrame(.binary).with { $0.announcedLength = 60 << 20 }
            if hasKeptByte { try stream.writeAll(sealer.seal(.data, frame.bytes)) }
        }
        while true {
            var records: [UInt8] = []
            while records.count < 32768 { records += record(&sealer) }
            try stream.writeAll(records)
        }
    }

    private static func acceptance(of request: [UInt8]) throws -> [UInt8] {
        var decoder = HTTPHeadDecoder<RequestLine>()
        _ = try request.withUnsafeBytes { try decoder.receive($0) }
        guard let head = decoder.head else { throw SupportError("half of a request") }
        return try ReceivedHandshake(head).acceptance().encode()
    }

    private var plainRecord: [UInt8] {
        switch flood {
        case .cipherChanges: [20, 3, 3, 0, 1, 1]
        case .emptyMessages: [22, 3, 3, 0, 0]
        case .plainWarnings: [21, 3, 3, 0, 2, 1, 90]
        default: [22, 3, 3, 0, 4, 0, 0, 0, 0]
        }
    }

    private func record(_ sealer: inout TLSRecordSealer) -> [UInt8] {
        switch flood {
        case .keyUpdates: sealer.sealKeyUpdate()
        case .keyUpdatesAskingForOne: sealer.sealKeyUpdate(asksForOne: true)
        case .emptyData: sealer.seal(.data)
        case .warnings: sealer.seal(.alert, [1, 90])
        case .ticketsBetweenBytes:
            (0..<30).flatMap { _ in sealer.sealTicket() } + sealer.seal(.data, Array("y".utf8))
        default: sealer.sealTicket()
        }
    }
}

// MARK: The client

extension RecordAttack {
    private var options: ConnectOptions {
        var options = Self.calmOptions
        options.noProxy = []
        return options
    }

    func warmUp(_ calm: CalmServers) throws { try calm.echo(isSecure: true, options: options) }

    func outcome(port: UInt16, calm: CalmServers) -> String {
        let url = "wss://127.0.0.1:\(port)/"
        return result {
            switch phase {
            case .proxyTLSHandshake, .proxyAnswer:
                var options = options
                var proxy = Proxy.https(host: "127.0.0.1", port: port)
                proxy.tls.verification = .none
                options.proxy = .proxy(proxy)
                try WebSocket.connect(to: "ws://192.0.2.1/", options: options).abort()
                return "connected"
            case .dispatch: return try dispatch(url, calm)
            default: break
            }
            let socket = try WebSocket.connect(to: url, options: options)
            defer { socket.abort() }
            switch phase {
            case .receive: return "received \(try socket.receive().bytes.count) bytes"
            case .receiveParts: return try receiveParts(socket)
            case .close: return "close returned \(try socket.close().map { "\($0)" } ?? "nothing")"
            default: return "connected"
            }
        }
    }

    /// Parts for two seconds: each call has its own limit, and a byte in it is something.
    private func receiveParts(_ socket: WebSocket) throws -> String {
        let end = Deadline.after(.seconds(2))
        var room = [UInt8](repeating: 0, count: 1000)
        while !end.isPast {
            var span = room.mutableSpan
            var bytes = span.mutableBytes
            _ = try socket.receive(into: &bytes)
        }
        return "received parts"
    }

    /// Another app and a timer on the same thread, for as long as it takes them to do some work.
    private func dispatch(_ url: String, _ calm: CalmServers) throws -> String {
        let dispatcher = try Dispatcher()
        let echoes = Atomic<Int>(0)
        let ticks = Atomic<Int>(0)
        let flooded = WebSocketApp(url: url, options: options)
        let other = WebSocketApp(
            url: calm.url(isSecure: false),
            onOpen: { app in try app.send("tick") },
            onMessage: { app, _ in
                if echoes.add(1, ordering: .relaxed).newValue < 100 { try app.send("tick") }
            },
            options: options
        )
        try flooded.runForever(dispatcher: dispatcher)
        try other.runForever(dispatcher: dispatcher)
        @Sendable func tick() {
            let isDone =
                echoes.load(ordering: .relaxed) == 100 && ticks.load(ordering: .relaxed) >= 20
            if isDone { return dispatcher.stop() }
            ticks.add(1, ordering: .relaxed)
            dispatcher.schedule(after: .milliseconds(50), tick)
        }
        tick()
        try dispatcher.dispatch()
        return "the other app and the timer went on"
    }

    /// On a connection that is open, what TLS has found is how it was lost.
    private static let loss = "The connection was lost: the TLS connection failed: "

    func expects(_ result: String) -> Bool {
        let endings: [String] =
            switch phase {
            case .tlsHandshake:
                ["The TLS handshake failed: ", "Time ran out during the TLS handshake."]
            case .proxyTLSHandshake, .proxyAnswer:
                ["TLS with the proxy: ", "Time ran out during the proxy's handshake."]
            case .answer:
                ["The TLS connection failed: ", "Time ran out during the WebSocket handshake."]
            case .receive: [Self.loss, "Time ran out during receiving."]
            case .receiveParts: [Self.loss, "received parts"]
            case .close: [Self.loss, "close returned nothing"]
            case .dispatch: ["the other app and the timer went on"]
            }
        return endings.contains { result.hasPrefix($0) }
    }
}
