import Glibc
import Synchronization
import WebSocketClient

/// A TCP relay that damages the connections through it, as planned.
package final class FaultyRelay: Sendable {
    private let listener: Listener
    private let target: UInt16
    private let plan = Locked<RelayPlan?>(nil)

    package var port: UInt16 { listener.port }

    /// Relays to a port of this machine until it is stopped.
    package init(to target: UInt16) throws {
        self.target = target
        listener = try Listener()
        try Threads.start { [self] in
            while let stream = try? listener.accept(until: .never) {
                let plan = plan.withLock { $0 }
                try? Threads.start { [self] in try? relay(stream, plan) }
            }
        }
    }

    /// Sets the plans for connections from now on.
    package func follow(_ plan: RelayPlan) { self.plan.withLock { $0 = plan } }

    /// Takes no more connections; existing ones go on.
    package func stop() { listener.close() }

    private func relay(_ client: any ByteStream, _ plan: RelayPlan?) throws {
        let target = ConnectTarget.host("127.0.0.1", port: target)
        let server = try Connector.connect(
            ConnectPlan(target: target, serverName: "127.0.0.1"),
            wakeUp: WakeUp()
        )
        let tunnel = Tunnel(client: client, server: server, plan: plan)
        let outbound = Background { tunnel.pump(.outbound, from: client, to: server) }
        tunnel.pump(.inbound, from: server, to: client)
        try outbound.join()
    }
}

/// One connection that is being relayed.
private final class Tunnel: Sendable {
    private let client: any ByteStream
    private let server: any ByteStream
    private let plan: RelayPlan?
    private let isSilent = Atomic<Bool>(false)

    init(client: any ByteStream, server: any ByteStream, plan: RelayPlan?) {
        self.client = client
        self.server = server
        self.plan = plan
    }

    /// Relays one direction until it ends.
    func pump(
        _ direction: RelayPlan.Direction,
        from source: any ByteStream,
        to destination: any ByteStream
    ) {
        do {
            while var bytes = try source.readSome(until: .never) {
                if let plan, let count = plan.strikes(at: bytes.count, direction) {
                    try destination.writeAll(Array(bytes[..<count]), until: .never)
                    bytes.removeFirst(count)
                    guard try strike(plan, &bytes, destination) else { return }
                }
                if isSilent.load(ordering: .relaxed) { continue }
                try destination.writeAll(bytes, until: .never)
            }
            destination.finishWriting()
            if isSilent.load(ordering: .relaxed) { abort() }
        } catch {
            abort()
        }
    }

    private func abort() {
        client.abort()
        server.abort()
    }

    /// Whether this direction goes on.
    private func strike(
        _ plan: RelayPlan,
        _ bytes: inout [UInt8],
        _ destination: any ByteStream
    ) throws -> Bool {
        switch plan.fault {
        case .none: break
        case .pause: pause(plan.pause)
        case .trickle:
            for byte in bytes.prefix(4096) { try destination.writeAll([byte], until: .never) }
            bytes.removeFirst(min(4096, bytes.count))
        case .drip:
            for byte in bytes {
                try destination.writeAll([byte], until: .never)
                pause(plan.pause)
            }
            bytes = []
        case .cut:
            abort()
            return false
        case .halfClose:
            destination.finishWriting()
            return false
        case .reset:
            disconnect(client)
            disconnect(server)
            abort()
            return false
        case .silence: isSilent.store(true, ordering: .relaxed)
        case .garble: bytes[Int.random(in: 0..<bytes.count)] ^= 1 << UInt8.random(in: 0..<8)
        }
        return true
    }

    /// connect(2) with no address ends a connection with RST.
    private func disconnect(_ stream: any ByteStream) {
        var none = sockaddr()
        none.sa_family = sa_family_t(AF_UNSPEC)
        _ = connect(stream.descriptor, &none, socklen_t(MemoryLayout.size(ofValue: none)))
    }
}
