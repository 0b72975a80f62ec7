import Foundation
import TestSupport
import Testing
import WebSocketClient

/// Offers of compression, and the server's own requests.
struct Negotiation: Sendable {
    var name: String
    var offers: [DeflateOffer]
    var query = ""
    /// The server that has to decline: a library whose compressor has no window of 2^8.
    var declining: [Counterpart] = []

    static func offering(
        _ name: String,
        declining: [Counterpart] = [],
        _ change: (inout DeflateOffer) -> Void = { _ in }
    ) -> Negotiation {
        var offer = DeflateOffer()
        change(&offer)
        return Negotiation(name: name, offers: [offer], declining: declining)
    }

    static let all: [Negotiation] =
        [
            .offering("nothing special"),
            .offering("server_no_context_takeover") { $0.serverNoContextTakeover = true },
            .offering("client_no_context_takeover") { $0.clientNoContextTakeover = true },
            .offering("no context takeover") {
                $0.serverNoContextTakeover = true
                $0.clientNoContextTakeover = true
            },
            .offering("no client_max_window_bits") { $0.clientMaxWindowBits = nil },
            .offering("small windows, no context takeover") {
                $0.clientNoContextTakeover = true
                $0.serverNoContextTakeover = true
                $0.clientMaxWindowBits = 8
                $0.serverMaxWindowBits = 9
            },
        ]
        + (8...15).map { (bits: Int) in
            .offering("client_max_window_bits=\(bits)") { $0.clientMaxWindowBits = bits }
        }
        + (8...15).map { (bits: Int) in
            .offering(
                "server_max_window_bits=\(bits)",
                declining: bits == 8 ? [.websockets, .aiohttp] : []
            ) { $0.serverMaxWindowBits = bits }
        }
        + [
            Negotiation(name: "two offers", offers: twoOffers),
            wish("server_no_context_takeover=1"), wish("client_no_context_takeover=1"),
            wish("server_max_window_bits=9"), wish("client_max_window_bits=9"),
            wish("server_max_window_bits=10&client_max_window_bits=11"),
        ]

    private static var twoOffers: [DeflateOffer] {
        var first = DeflateOffer()
        first.serverMaxWindowBits = 8
        var second = DeflateOffer()
        second.serverMaxWindowBits = 12
        return [first, second]
    }

    private static func wish(_ query: String) -> Negotiation {
        Negotiation(name: "wish of \(query)", offers: [DeflateOffer()], query: "?\(query)")
    }
}

@Suite(
    "Compression with other projects' servers",
    .blocking,
    .needsOtherServers
)
struct CompressionTests {
    /// The seed in WEBSOCKET_TEST_SEED, or a new one each time.
    private static let seed =
        ProcessInfo.processInfo.environment["WEBSOCKET_TEST_SEED"].flatMap(UInt64.init)
        ?? UInt64.random(in: 0...UInt64.max)

    /// In all, tens of thousands over all servers and negotiations.
    private static let messagesEach = 500

    @Test(
        "Random messages, sent in random ways with random parameters, come back unchanged",
        arguments: Counterpart.allCases
    )
    func random(server: Counterpart) throws {
        for (index, negotiation) in Negotiation.all.enumerated() {
            let seed = Self.seed &+ UInt64(index)
            let place = "\(server), \(negotiation.name), WEBSOCKET_TEST_SEED=\(Self.seed)"
            do {
                try exchange(with: server, negotiation, seed: seed, place)
            } catch {
                Issue.record("\(error): \(place)")
            }
        }
    }

    private func exchange(
        with server: Counterpart,
        _ negotiation: Negotiation,
        seed: UInt64,
        _ place: String
    ) throws {
        var generator = SeededGenerator(state: ~seed)
        var options = ConnectOptions.interop
        options.compression = deflateOptions(offers: negotiation.offers, &generator)
        // A server that fragments what it sends, if it can.
        var path = "/echo\(negotiation.query)"
        if Bool.random(using: &generator) {
            path += negotiation.query.isEmpty ? "?fragments=1" : "&fragments=1"
        }
        let socket = try WebSocket.connect(to: server.url(path), options: options)
        defer { socket.abort() }
        let isAgreed = socket.headers.contains("Sec-WebSocket-Extensions")
        #expect(isAgreed != negotiation.declining.contains(server), "\(place)")

        var messages = RandomMessages(seed: seed)
        let steps = messages.steps(messages: Self.messagesEach)
        let ways = SeededGenerator(state: seed &* 3)
        let reader = Background {
            var ways = ways
            for (index, expected) in steps.flatMap(\.messages).enumerated() {
                let way = Int.random(in: 0..<100_000, using: &ways)
                let message = Result { try socket.receive(way: way) }
                guard case .success(expected) = message else {
                    socket.abort()
                    let error =
                        if case .failure(let error) = message { "\(error)" } else { "other" }
                    throw SupportError("message \(index) is not as it was sent: \(error)")
                }
            }
        }
        let sending = Result { for step in steps { try step.run(on: socket) } }
        try reader.join()
        try sending.get()
        try socket.close()
    }

    private func deflateOptions(
        offers: [DeflateOffer],
        _ generator: inout SeededGenerator
    ) -> DeflateOptions {
        var options = DeflateOptions()
        options.offers = offers
        options.level = .random(in: -1...9, using: &generator)
        options.memoryLevel = .random(in: 1...9, using: &generator)
        options.strategy =
            DeflateOptions.Strategy.allCases.randomElement(using: &generator) ?? .standard
        options.threshold = [nil, 0, 1, 100, 5000].randomElement(using: &generator) ?? nil
        options.freesIdleStreams = .random(using: &generator)
        options.threads = .random(in: 1...3, using: &generator)
        return options
    }
}
