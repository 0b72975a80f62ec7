import TestSupport
import Testing

@testable import WebSocketClient

/// The fault suite again, over sockets, with faults of a network in place of planned ones.
@Suite("Every call through a faulty relay", .blocking)
struct RelayFaultTests {
    /// The relay's fault and its place.
    struct Case: CustomStringConvertible {
        var fault: RelayPlan.Fault
        var offset: Int
        var direction: RelayPlan.Direction

        var description: String { "\(fault) \(direction) behind \(offset)" }

        /// The fault in memory with the same consequences.
        var equivalent: FaultPlan.Fault? {
            switch fault {
            case .none, .pause, .trickle, .drip: nil
            case .cut, .halfClose: .end
            case .reset: .reset
            case .silence, .garble: .stall
            }
        }
    }

    private let server: PeerServer
    private let relay: FaultyRelay

    init() throws {
        server = try PeerServer()
        relay = try FaultyRelay(to: server.port)
    }

    private func connect(
        _ exchange: Exchange,
        _ plan: RelayPlan,
        isSecure: Bool,
        handshakeLimit: Duration = .ample
    ) throws -> WebSocket {
        let socket = exchange.kind.init(options: exchange.options)
        if isSecure {
            socket.options.tls = try Certificates.shared.get().trusting
            // So that all handshakes have the same length.
            socket.options.tls.resumesSessions = false
        }
        if plan.fault == .silence {
            socket.options.timeouts.handshake = handshakeLimit
            socket.options.timeouts.tls = handshakeLimit
            socket.timeout = .milliseconds(150)
            socket.options.timeouts.close = .milliseconds(150)
        }
        relay.follow(plan)
        try socket.connect(to: "\(isSecure ? "wss" : "ws")://127.0.0.1:\(relay.port)/")
        return socket
    }

    /// The broken promises.
    private func run(
        _ exchange: Exchange,
        _ plan: RelayPlan,
        _ which: Case,
        isSecure: Bool
    ) throws -> [String] {
        let peer = EchoPeer(compression: exchange.isCompressed ? Exchange.compression : nil)
        let serving = server.serve(isSecure ? try TLSEchoPeer(peer) : peer)
        var broken: [String] = []
        let time = try elapsed {
            let socket = try connect(exchange, plan, isSecure: isSecure)
            broken = try FaultRun(exchange, over: socket, to: peer, which.equivalent, "\(which)") {
                socket.abort()
                try serving.join()
            }.broken
        }
        if time > .ample { broken.append("\(exchange), \(which) took \(time)") }
        if !plan.hasStruck { broken.append("\(exchange), \(which) didn't strike") }
        return broken
    }

    /// How many bytes there are in each direction in the handshake, and in all.
    private func lengths(
        _ exchange: Exchange,
        isSecure: Bool
    ) throws -> [(direction: RelayPlan.Direction, handshake: Int, all: Int)] {
        let plan = RelayPlan(.none)
        let peer = EchoPeer(compression: exchange.isCompressed ? Exchange.compression : nil)
        let serving = server.serve(isSecure ? try TLSEchoPeer(peer) : peer)
        let socket = try connect(exchange, plan, isSecure: isSecure)
        let handshake = plan.relayed
        let none = Case(fault: .none, offset: 0, direction: .inbound)
        let run = try FaultRun(exchange, over: socket, to: peer, nil, "\(none)") {
            try serving.join()
        }
        #expect(run.broken == [])
        let all = plan.relayed
        return [
            (.outbound, handshake.outbound, all.outbound),
            (.inbound, handshake.inbound, all.inbound),
        ]
    }

    private static let exchanges = [false, true].flatMap {
        Exchange.all([3, 120], isCompressed: $0)
            + Exchange.allAwaited([3, 120], isCompressed: $0)
    }

    @Test("Nothing is lost, doubled or changed, and the error is right", arguments: exchanges)
    func everyCall(exchange: Exchange) throws {
        // In a header, in a payload, and in the closing handshake; a different fault each time.
        var place = exchange.description.utf8.reduce(0) { $0 + Int($1) }
        for (direction, handshake, all) in try lengths(exchange, isSecure: false) {
            for fault in [RelayPlan.Fault.pause, .trickle, .cut, .halfClose, .reset] {
                let offset = [handshake + 1, (handshake + all) / 2, all - 3][place % 3]
                place += 1
                let which = Case(fault: fault, offset: offset, direction: direction)
                let plan = RelayPlan(fault, behind: offset, direction, pause: .milliseconds(5))
                let broken = try run(exchange, plan, which, isSecure: false)
                #expect(broken == [], "\(broken)")
            }
        }
    }

    private static let few: [Exchange] = [
        Exchange(), Exchange(receiving: .parts, isCompressed: true),
        Exchange(sending: .batch, receiving: .forEachMessage, sizes: [300_000, 3]),
        Exchange(sending: .file, receiving: .subclass),
        Exchange(isAwaited: true, sizes: [300_000, 3]),
        Exchange(
            sending: .batch,
            receiving: .forEachMessage,
            isAwaited: true,
            sizes: [300_000, 3]
        ),
    ]

    @Test("Calls end in time when the network goes silent", arguments: few, [false, true])
    func silence(exchange: Exchange, isSecure: Bool) throws {
        for (direction, handshake, all) in try lengths(exchange, isSecure: isSecure) {
            // Lengths differ a little from one TLS handshake to the next.
            let offset = isSecure ? (handshake + all) / 2 : handshake + 1
            let which = Case(fault: .silence, offset: offset, direction: direction)
            let plan = RelayPlan(.silence, behind: offset, direction)
            let broken = try run(exchange, plan, which, isSecure: isSecure)
            #expect(broken == [], "\(broken)")
        }
    }

    @Test("TLS detects damage by the network", arguments: few)
    func secure(exchange: Exchange) throws {
        for (direction, handshake, all) in try lengths(exchange, isSecure: true) {
            for fault in [RelayPlan.Fault.pause, .trickle, .cut, .halfClose, .reset] {
                let which = Case(fault: fault, offset: (handshake + all) / 2, direction: direction)
                let plan = RelayPlan(fault, behind: which.offset, direction)
                let broken = try run(exchange, plan, which, isSecure: true)
                #expect(broken == [], "\(broken)")
            }
        }
    }

    @Test("A time-out applies even while bytes keep dripping in", arguments: [false, true])
    func dripping(isSecure: Bool) throws {
        let plan = RelayPlan(.drip, behind: 3000, .inbound, pause: .milliseconds(10))
        let serving = server.serve(isSecure ? try TLSEchoPeer(EchoPeer()) : EchoPeer())
        let socket = try connect(Exchange(), plan, isSecure: isSecure)
        try socket.send("at once")
        #expect(try socket.receive() == .text("at once"))
        socket.timeout = .milliseconds(200)
        try socket.send(binary: [UInt8](repeating: 1, count: 20_000))
        let time = elapsed {
            #expect(failure { try socket.receive() }?.isReceiveTimeout == true)
        }
        // All of it would take three minutes.
        #expect(time < .ample)
        socket.abort()
        try serving.join()
    }

    @Test("A fault in the handshake is reported", arguments: [false, true])
    func handshake(isSecure: Bool) throws {
        for (direction, handshake, _) in try lengths(Exchange(), isSecure: isSecure) {
            for fault in [RelayPlan.Fault.pause, .trickle, .cut, .halfClose, .reset, .silence] {
                for offset in [0, handshake / 2] {
                    let plan = RelayPlan(fault, behind: offset, direction)
                    let serving = server.serve(isSecure ? try TLSEchoPeer(EchoPeer()) : EchoPeer())
                    let error = failure {
                        try connect(
                            Exchange(),
                            plan,
                            isSecure: isSecure,
                            handshakeLimit: .seconds(1)
                        ).abort()
                    }
                    try serving.join()
                    #expect(
                        isRight(error, fault),
                        "\(fault) \(direction) behind \(offset): \(String(describing: error))"
                    )
                }
            }
        }
    }

    private func isRight(_ error: WebSocketError?, _ fault: RelayPlan.Fault) -> Bool {
        switch (fault, error) {
        case (.pause, nil), (.trickle, nil), (.none, nil): true
        case (.silence, .timedOut(.handshake)), (.silence, .timedOut(.tlsHandshake)): true
        case (.cut, .tls), (.halfClose, .tls), (.reset, .tls): true
        case (.cut, .system), (.halfClose, .system), (.reset, .system): true
        case (.cut, .connectionClosed(let closure)), (.halfClose, .connectionClosed(let closure)),
            (.reset, .connectionClosed(let closure)):
            closure.cause != nil
        default: false
        }
    }
}
