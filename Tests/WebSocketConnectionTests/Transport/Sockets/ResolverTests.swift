import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("A resolver that doesn't answer", .blocking)
struct ResolverTests {
    /// A system that knows no name, and says so about slow.test only once it may.
    private final class SlowSystem: Sendable {
        let mayAnswer = Promise<Void>()
        private let asked = Locked<[String]>([])

        /// The names that it was asked for, in order.
        var names: [String] { asked.withLock { $0 } }

        func makeLookUps() -> LookUps {
            LookUps { [self] host, _, flags in
                let failure = TransportError.addressNotFound(host: host, code: 1, text: "unknown")
                guard flags == 0 else { return .failure(failure) }
                asked.withLock { $0.append(host) }
                if host == "slow.test" { try? mayAnswer.value() }
                return .failure(failure)
            }
        }
    }

    private let system = SlowSystem()
    private let lookUps: LookUps

    init() { lookUps = system.makeLookUps() }

    private func resolve(
        _ host: String = "slow.test",
        wakeUp: WakeUp? = nil,
        until deadline: Deadline
    ) throws -> [SocketAddress] {
        try Resolver.addresses(
            host: host,
            port: 80,
            wakeUp: wakeUp ?? WakeUp(),
            until: deadline,
            by: lookUps
        )
    }

    @Test("It is abandoned at the deadline, or when the call is aborted")
    func leftBehind() throws {
        let time = elapsed {
            #expect(throws: TransportError.timedOut(.resolution)) {
                try resolve(until: .after(.milliseconds(50)))
            }
        }
        #expect(time >= .milliseconds(50) && time < .ample)
        let wakeUp = try WakeUp()
        let resolving = Background { try resolve(wakeUp: wakeUp, until: .never) }
        pause(.milliseconds(20))
        wakeUp.signal()
        #expect(throws: TransportError.aborted) { try resolving.join() }
        system.mayAnswer.fulfil()
        #expect(throws: TransportError.self) { try resolve(until: .ample) }
    }

    @Test("Many calls for one name share one look-up, and its answer")
    func shared() throws {
        for _ in 0..<20 {
            #expect(throws: TransportError.timedOut(.resolution)) {
                try resolve(until: .after(.milliseconds(1)))
            }
        }
        let waiting = (0..<8).map { _ in Background { try resolve(until: .ample) } }
        while system.names.isEmpty { pause(.milliseconds(1)) }
        pause(.milliseconds(20))
        #expect(system.names == ["slow.test"])
        system.mayAnswer.fulfil()
        for call in waiting {
            #expect(
                throws: TransportError.addressNotFound(host: "slow.test", code: 1, text: "unknown")
            ) { try call.join() }
        }
    }

    @Test("Another name isn't held up by it")
    func otherName() throws {
        #expect(throws: TransportError.timedOut(.resolution)) {
            try resolve(until: .after(.milliseconds(1)))
        }
        while system.names.isEmpty { pause(.milliseconds(1)) }
        for _ in 0..<2 {
            #expect(
                throws: TransportError.addressNotFound(host: "fast.test", code: 1, text: "unknown")
            ) { try resolve("fast.test", until: .ample) }
        }
        // An answer is for those who waited for it: it isn't kept.
        #expect(system.names == ["slow.test", "fast.test", "fast.test"])
        system.mayAnswer.fulfil()
    }
}
