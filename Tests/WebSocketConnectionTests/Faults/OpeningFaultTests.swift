import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Connecting under every fault", .blocking)
struct OpeningFaultTests {
    /// A route to the server.
    struct Way: Sendable, CustomStringConvertible {
        var proxy: Proxy.Kind?
        var isSecure = false

        var isEncrypted: Bool { isSecure || proxy == .https }

        var description: String {
            (proxy.map { "through \($0) " } ?? "") + (isSecure ? "with TLS" : "plain")
        }
    }

    private static let ways: [Way] = [nil, .http, .https, .socks4a, .socks5h].flatMap { proxy in
        [Way(proxy: proxy), Way(proxy: proxy, isSecure: true)]
    }

    /// The stages between the client and its first frame, in order.
    private enum Phase { case proxy, tls, handshake, open }

    /// The servers in memory behind one another, and the stream to the first of them.
    private struct Chain {
        let stream: FaultyStream
        let proxy: ProxyMeter?
        let tls: TLSEchoPeer?
        let echo: EchoPeer

        init(_ way: Way) throws {
            echo = EchoPeer()
            tls = way.isSecure ? try TLSEchoPeer(echo) : nil
            var first: any MemoryPeer = echo
            if let tls { first = tls }
            proxy = try way.proxy.map { [first] kind in
                let proxy = ProxyPeer(kind, first)
                return ProxyMeter(proxy, in: kind == .https ? try TLSEchoPeer(proxy) : proxy)
            }
            if let proxy { first = proxy }
            stream = FaultyStream(first)
        }

        /// The client's stage when it failed.
        var phase: Phase {
            if let proxy, stream.progress.read < proxy.answerEnd { return .proxy }
            if let tls, !tls.isOpen { return .tls }
            return .handshake
        }
    }

    private func connect(_ chain: Chain, _ way: Way) throws -> WebSocket {
        var options = ConnectOptions(timeout: .ample)
        options.cookieJar = nil
        options.tls = try Certificates.shared.get().trusting
        options.noProxy = []
        options.proxy = .none
        if let kind = way.proxy {
            var proxy = Proxy(kind, host: "proxy.test", port: 1)
            proxy.tls = options.tls
            proxy.tls.serverName = "localhost"
            options.proxy = .proxy(proxy)
        }
        let socket = WebSocket(options: options)
        let stream = chain.stream
        try socket.open(way.isSecure ? "wss://localhost/" : "ws://localhost/") {
            (plan, wakeUp) throws(TransportError) in
            try Connector.complete(plan, over: stream, wakeUp: wakeUp)
        }
        return socket
    }

    private func isExpected(_ error: WebSocketError, _ fault: FaultPlan.Fault, in phase: Phase)
        -> Bool
    {
        switch (fault, phase, error) {
        case (.stall, .proxy, .timedOut(.proxyHandshake)),
            (.stallOnce, .proxy, .timedOut(.proxyHandshake)),
            (.stall, .tls, .timedOut(.tlsHandshake)),
            (.stallOnce, .tls, .timedOut(.tlsHandshake)),
            (.stall, .handshake, .timedOut(.handshake)),
            (.stallOnce, .handshake, .timedOut(.handshake)):
            true
        case (.reset, .proxy, .proxy), (.end, .proxy, .proxy): true
        case (.reset, .tls, .tls), (.end, .tls, .tls): true
        case (.reset, _, .system(_, let number, _)), (.end, _, .system(_, let number, _)):
            phase != .proxy
                && [.connectionReset, .brokenPipe].contains(ErrorNumber(rawValue: number))
        case (.reset, .handshake, .connectionClosed(let closure)),
            (.end, .handshake, .connectionClosed(let closure)):
            closure.cause != nil
        default: false
        }
    }

    @Test("The error names the stage and the reason", arguments: ways)
    func phases(way: Way) throws {
        let chain = try Chain(way)
        try connect(chain, way).abort()
        let total = chain.stream.progress
        // Lengths differ a little from one TLS handshake to the next.
        let step = way.isEncrypted ? 31 : 1
        for direction in FaultPlan.Direction.allCases {
            let bytes = direction == .inbound ? total.read : total.written
            for offset in stride(from: 0, to: bytes, by: step) {
                for fault in FaultPlan.Fault.allCases where fault != .abort {
                    try check(way, .at(offset, direction, fault))
                }
            }
        }
    }

    @Test(
        "Connecting works when bytes move one by one and calls have to be repeated",
        arguments: ways
    )
    func pieces(way: Way) throws {
        for interference in FaultPlan.Interference.allCases {
            try check(way, FaultPlan(pieceBytes: 1, interference: interference))
        }
    }

    private func check(_ way: Way, _ plan: FaultPlan) throws {
        let chain = try Chain(way)
        chain.stream.begin(plan)
        var error: WebSocketError?
        do {
            let socket = try connect(chain, way)
            #expect(try socket.close(timeout: .zero) == nil || chain.echo.fault == nil)
        } catch let failure as WebSocketError {
            error = failure
        }
        #expect(chain.stream.endlessWaits == 0, "\(way), \(plan)")
        guard let fault = plan.fault, fault != .cut else {
            #expect(error == nil, "\(way), \(plan)")
            return
        }
        // A fault in the last bytes may go unnoticed, as session tickets aren't waited for.
        guard let error else {
            #expect(way.isEncrypted || plan.direction == .outbound, "\(way), \(plan): no error")
            return
        }
        let isRight = isExpected(error, fault, in: chain.phase)
        #expect(isRight, "\(way), \(plan): \(error) in \(chain.phase)")
    }
}

/// A proxy in memory, in front of another peer.
final class ProxyPeer: MemoryPeer {
    private let kind: Proxy.Kind
    private let inner: any MemoryPeer
    private var request: [UInt8] = []
    private var answers: [(isComplete: ([UInt8]) -> Bool, answer: [UInt8])]

    /// Whether it has said all that it says itself.
    var hasAnswered: Bool { answers.isEmpty }

    var hasEnded: Bool { inner.hasEnded }

    init(_ kind: Proxy.Kind, _ inner: any MemoryPeer) {
        self.kind = kind
        self.inner = inner
        answers =
            switch kind {
            case .http, .https:
                [
                    (
                        { $0.suffix(4) == [13, 10, 13, 10] },
                        Array("HTTP/1.1 200 OK\r\nVia: test\r\n\r\n".utf8)
                    )
                ]
            case .socks4, .socks4a:
                // Version, command, port, address, an empty user, and the name.
                [({ $0.count > 9 && $0.last == 0 }, [0, 90, 0, 0, 0, 0, 0, 0])]
            case .socks5, .socks5h:
                [
                    ({ $0.count >= 3 }, [5, 0]),
                    (
                        { $0.count >= 5 && $0.count >= 7 + Int($0[4]) },
                        [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
                    ),
                ]
            }
    }

    func receive(_ bytes: [UInt8]) -> [UInt8] {
        guard let next = answers.first else { return inner.receive(bytes) }
        request += bytes
        guard next.isComplete(request) else { return [] }
        request = []
        answers.removeFirst()
        return next.answer
    }
}

/// Counts what a proxy sends: in the clear, or the records of the TLS around it.
final class ProxyMeter: MemoryPeer {
    private let proxy: ProxyPeer
    private let outermost: any MemoryPeer
    private var sentBytes = 0
    /// How many bytes it takes to have all of the proxy's own answer; `Int.max` until that is known.
    private(set) var answerEnd = Int.max

    var hasEnded: Bool { outermost.hasEnded }

    init(_ proxy: ProxyPeer, in outermost: any MemoryPeer) {
        self.proxy = proxy
        self.outermost = outermost
    }

    func receive(_ bytes: [UInt8]) -> [UInt8] {
        let output = outermost.receive(bytes)
        sentBytes += output.count
        if proxy.hasAnswered, answerEnd == .max { answerEnd = sentBytes }
        return output
    }
}
