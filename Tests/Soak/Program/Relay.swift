import Glibc
import Synchronization
import TestSupport
import WebSocketClient

/// A TCP relay that does what the plan of the next connection says.
final class Relay: Sendable {
    private let listener: Listener
    private let target: UInt16
    private let plan = Locked<FaultPlan?>(nil)

    var port: UInt16 { listener.port }

    init(to target: UInt16) throws {
        self.target = target
        listener = try Listener()
        try Threads.start { [self] in
            while let stream = try? listener.accept(until: .never) {
                let plan = plan.withLock { $0 }
                try? Threads.start { [self] in try? relay(stream, plan) }
            }
        }
    }

    /// Chooses what happens to connections from now on.
    func follow(_ plan: FaultPlan) { self.plan.withLock { $0 = plan } }

    func stop() { listener.close() }

    private func relay(_ client: any ByteStream, _ plan: FaultPlan?) throws {
        let target = ConnectTarget.host("127.0.0.1", port: target)
        let server = try Connector.connect(
            ConnectPlan(target: target, serverName: ""),
            wakeUp: WakeUp()
        )
        let tunnel = Tunnel(client: client, server: server, plan: plan)
        let up = Background { tunnel.pump(from: client, to: server) }
        tunnel.pump(from: server, to: client)
        try up.join()
    }
}

/// One connection that is being relayed.
private final class Tunnel: Sendable {
    private let client: any ByteStream
    private let server: any ByteStream
    private let plan: FaultPlan?
    private let isSilent = Atomic<Bool>(false)

    init(client: any ByteStream, server: any ByteStream, plan: FaultPlan?) {
        self.client = client
        self.server = server
        self.plan = plan
    }

    /// Carries bytes one way until that way ends.
    func pump(from source: any ByteStream, to destination: any ByteStream) {
        do {
            while var bytes = try source.readSome(until: .never) {
                if let plan, plan.strikes(after: bytes.count) {
                    guard try strike(plan.fault, &bytes, destination) else { return }
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

    /// Whether this way goes on.
    private func strike(
        _ fault: Fault,
        _ bytes: inout [UInt8],
        _ destination: any ByteStream
    ) throws -> Bool {
        switch fault {
        case .none: break
        case .pause: TestSupport.pause(.milliseconds(Int.random(in: 20...1000)))
        case .trickle:
            for byte in bytes.prefix(4096) { try destination.writeAll([byte], until: .never) }
            bytes.removeFirst(min(4096, bytes.count))
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
