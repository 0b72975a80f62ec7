import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Every call under every fault", .blocking)
struct FaultTests {
    private func check(
        _ exchange: Exchange,
        _ plans: some Sequence<FaultPlan>,
        isSecure: Bool = false
    ) throws {
        for plan in plans {
            let broken = try FaultRun(exchange, plan, isSecure: isSecure).broken
            #expect(broken == [])
            // One is enough to investigate, and thousands might follow.
            if !broken.isEmpty { return }
        }
    }

    /// Every kind of fault at each of these bytes.
    private func faults(
        _ exchange: Exchange,
        isSecure: Bool = false,
        at offsets: (_ total: Int) -> some Sequence<Int>
    ) throws -> [FaultPlan] {
        let total = try FaultRun(exchange, .none, isSecure: isSecure).progress
        return FaultPlan.Direction.allCases.flatMap { direction in
            offsets(direction == .inbound ? total.read : total.written).flatMap { offset in
                FaultPlan.Fault.allCases.map { .at(offset, direction, $0) }
            }
        }
    }

    @Test(
        "A byte that a stream loses is noticed, whichever it is",
        arguments: FaultPlan.Direction.allCases
    )
    func lostByte(direction: FaultPlan.Direction) throws {
        let exchange = Exchange()
        let control = try FaultRun(exchange, .none)
        #expect(control.broken == [])
        let total = control.progress
        for offset in 0..<(direction == .inbound ? total.read : total.written) {
            var plan = FaultPlan.none
            plan.direction = direction
            plan.lostByte = offset
            let broken: [String]
            do {
                broken = try FaultRun(exchange, plan).broken
            } catch let error as WebSocketError {
                broken = ["\(error)"]
            }
            #expect(!broken.isEmpty, "\(plan)")
        }
    }

    private static let exchanges = [false, true].flatMap {
        Exchange.all([3, 120], isCompressed: $0)
            + Exchange.allAwaited([3, 120], isCompressed: $0)
    }

    @Test(
        "Nothing is lost, doubled or changed, however many bytes a call moves",
        arguments: exchanges
    )
    func pieces(exchange: Exchange) throws {
        for interference in FaultPlan.Interference.allCases {
            try check(
                exchange,
                [1, 2, 3, 7, .max].map { FaultPlan(pieceBytes: $0, interference: interference) }
            )
        }
    }

    @Test(
        "The promises hold with a fault at each byte",
        arguments: [false, true],
        [false, true]
    )
    func everyByte(isCompressed: Bool, isAwaited: Bool) throws {
        let exchange = Exchange(
            isCompressed: isCompressed,
            isAwaited: isAwaited,
            sizes: [3, 130]
        )
        try check(exchange, try faults(exchange) { 0...$0 })
    }

    @Test("The promises hold with faults spread over each exchange", arguments: exchanges)
    func manyBytes(exchange: Exchange) throws {
        // Different bytes for each exchange, which together cover all.
        let first = exchange.description.utf8.reduce(0) { $0 + Int($1) } % 37
        try check(exchange, try faults(exchange) { stride(from: first, through: $0, by: 37) })
    }

    @Test(
        "The promises hold with a fault while bytes move one by one and each call has to be repeated",
        arguments: FaultPlan.Interference.allCases
    )
    func faultsInStorms(interference: FaultPlan.Interference) throws {
        for exchange in [
            Exchange(), Exchange(receiving: .parts, isCompressed: true),
            Exchange(isAwaited: true), Exchange(sending: .messages, isAwaited: true),
        ] {
            let plans = try faults(exchange) { stride(from: 1, through: $0, by: 29) }.map { plan in
                var plan = plan
                plan.pieceBytes = 1
                plan.interference = interference
                return plan
            }
            try check(exchange, plans)
        }
    }

    @Test("An abort ends the call that is under way", arguments: FaultPlan.Direction.allCases)
    func abort(direction: FaultPlan.Direction) throws {
        for offset in 0..<20 {
            let run = try FaultRun(Exchange(), .at(offset, direction, .abort))
            #expect(run.hasAborted && run.broken == [])
        }
    }

    /// Larger than a single read, and than the sending buffer.
    private static let large: [Exchange] = [
        Exchange(sizes: [270_000]), Exchange(sending: .fragments, sizes: [500_000]),
        Exchange(sending: .file, sizes: [270_000]), Exchange(sending: .batch, sizes: [270_000]),
        Exchange(sending: .consuming, sizes: [600_000]),
        Exchange(receiving: .parts, sizes: [70_000]),
        Exchange(receiving: .receiveFrame, sizes: [70_000]),
        Exchange(sending: .text, isCompressed: true, sizes: [270_000]),
        Exchange(isAwaited: true, sizes: [270_000]),
        Exchange(sending: .batch, isAwaited: true, sizes: [270_000]),
        Exchange(sending: .consuming, isAwaited: true, sizes: [600_000]),
        Exchange(receiving: .forEachMessage, isAwaited: true, sizes: [70_000]),
    ]

    @Test("The promises hold with a fault inside large messages", arguments: large)
    func largeMessages(exchange: Exchange) throws {
        try check(exchange, try faults(exchange) { [1, $0 / 3, $0 - 30] })
    }

    @Test("The promises hold with a fault under TLS", arguments: [false, true])
    func secure(isCompressed: Bool) throws {
        for exchange in Exchange.all([3, 120], isCompressed: isCompressed) {
            try check(
                exchange,
                try faults(exchange, isSecure: true) { stride(from: 3, through: $0, by: 700) },
                isSecure: true
            )
        }
    }
}
