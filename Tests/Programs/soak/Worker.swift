import LoopbackServer
import Synchronization
import TestSupport
import WebSocketClient

/// One user of the client: connects, sends and receives at once, reconnects when it is cut off.
final class Worker: Sendable {
    private let url: String
    private let isSecure: Bool
    private let options: ConnectOptions
    private let relay: FaultyRelay
    private let ledger: Ledger

    init(
        isSecure: Bool,
        isCompressed: Bool,
        relay: FaultyRelay,
        authority: String,
        ledger: Ledger
    ) {
        self.isSecure = isSecure
        self.relay = relay
        self.ledger = ledger
        url = "\(isSecure ? "wss" : "ws")://127.0.0.1:\(relay.port)/"
        var options = ConnectOptions(timeout: .seconds(20))
        options.proxy = .none
        options.tls.certificateAuthorityFile = authority
        if isCompressed {
            var deflate = DeflateOptions()
            deflate.level = 1
            options.compression = deflate
        }
        self.options = options
    }

    func run(until end: ContinuousClock.Instant) {
        while ContinuousClock.now < end {
            let plan = RelayPlan.random(isSecure: isSecure)
            relay.follow(plan)
            let session = Session(count: Int.random(in: 1...400))
            let error = session.run(url, options, plan)
            ledger.note { totals in
                totals.connections += 1
                totals.messages += session.received.withLock { $0.messages }
                totals.bytes += session.received.withLock { $0.bytes }
                if plan.hasStruck { totals.faults[plan.fault, default: 0] += 1 }
                totals.slowestEnd = max(totals.slowestEnd, session.timeAfterFault)
                guard let error else {
                    totals.cleanEnds += 1
                    return
                }
                totals.errors[error.kind, default: 0] += 1
                if error.kind == "corruption" || !plan.hasStruck || plan.fault.isHarmless {
                    totals.failures.append("\(plan.fault), struck \(plan.hasStruck): \(error)")
                }
            }
        }
    }
}

/// One connection: sends messages, which have to come back unchanged.
private final class Session: Sendable {
    private let count: Int
    let received = Locked((messages: 0, bytes: 0))
    private let struckAt = Locked<ContinuousClock.Instant?>(nil)
    private let endedAt = Locked<ContinuousClock.Instant?>(nil)

    init(count: Int) { self.count = count }

    var timeAfterFault: Duration {
        guard let struck = struckAt.withLock({ $0 }), let ended = endedAt.withLock({ $0 }) else {
            return .zero
        }
        return ended - struck
    }

    /// Returns the reason if it ended too early.
    func run(_ url: String, _ options: ConnectOptions, _ plan: RelayPlan) -> SoakError? {
        let isOver = Promise<Void>()
        let watching = Background { [self] in
            while !isOver.isFulfilled {
                if plan.hasStruck, struckAt.withLock({ $0 }) == nil {
                    struckAt.withLock { $0 = .now }
                }
                pause(.milliseconds(10))
            }
        }
        let error = converse(url, options)
        endedAt.withLock { $0 = .now }
        isOver.fulfil()
        try? watching.join()
        return error
    }

    private func converse(_ url: String, _ options: ConnectOptions) -> SoakError? {
        let socket: WebSocket
        do {
            socket = try WebSocket.connect(to: url, options: options)
        } catch {
            return .client(error)
        }
        defer { socket.abort() }
        let sending = Background { [self] in send(over: socket) }
        let receivingError = receive(from: socket)
        // The sender needn't wait any longer.
        if receivingError != nil { socket.abort() }
        let sendingError = (try? sending.join()) ?? nil
        if case .corruption? = receivingError { return receivingError }
        if let error = receivingError ?? sendingError { return error }
        do {
            return try socket.close() == nil ? .noFarewell : nil
        } catch {
            return .client(error)
        }
    }

    private func send(over socket: WebSocket) -> SoakError? {
        var number = 0
        do {
            while number < count {
                let isText = Bool.random()
                let next = min(number + (number % 5 == 0 ? Int.random(in: 1...8) : 1), count)
                let messages = (number..<next).map {
                    Payload(number: $0, contents: Contents.random(), isText: isText).bytes
                }
                switch number % 5 {
                case 0 where isText:
                    try socket.sendBatch(messages.map { String(decoding: $0, as: UTF8.self) })
                case 0: try socket.sendBatch(binary: messages)
                case 1: try socket.send(messages[0], opcode: isText ? .text : .binary)
                case 2:
                    try socket.send(
                        fragments: fragments(messages[0]),
                        as: isText ? .text : .binary
                    )
                case 3 where isText: try socket.send(String(decoding: messages[0], as: UTF8.self))
                default: try socket.send(messages[0], opcode: isText ? .text : .binary)
                }
                if number % 16 == 0 { try socket.ping() }
                number = next
            }
            return nil
        } catch {
            return .client(error)
        }
    }

    private func fragments(_ bytes: [UInt8]) -> [[UInt8]] {
        let half = bytes.count / 2
        return [Array(bytes[..<half]), [], Array(bytes[half...])]
    }

    private func receive(from socket: WebSocket) -> SoakError? {
        do {
            for number in 0..<count {
                let (bytes, isText) =
                    switch try socket.receive() {
                    case .text(let text): (Array(text.utf8), true)
                    case .binary(let bytes): (bytes, false)
                    }
                guard let found = Payload.number(of: bytes, isText: isText) else {
                    return .corruption("a message of \(bytes.count) bytes is damaged")
                }
                guard found == number else {
                    return .corruption("message \(found) came instead of \(number)")
                }
                received.withLock {
                    $0.messages += 1
                    $0.bytes += bytes.count
                }
            }
            return nil
        } catch {
            return .client(error)
        }
    }
}

/// The reason for a session's end.
enum SoakError: CustomStringConvertible {
    case client(any Error)
    /// No close frame came back.
    case noFarewell
    case corruption(String)

    var kind: String {
        switch self {
        case .noFarewell: "noFarewell"
        case .corruption: "corruption"
        case .client(let error): "\(Mirror(reflecting: error).children.first?.label ?? "\(error)")"
        }
    }

    var description: String {
        switch self {
        case .client(let error): "\(kind): \(error)"
        case .noFarewell: "no close frame came back"
        case .corruption(let text): text
        }
    }
}

extension RelayPlan {
    fileprivate static func random(isSecure: Bool) -> RelayPlan {
        let fault: Fault =
            switch Int.random(in: 0..<100) {
            case 0..<20: .none
            case 20..<35: .pause
            case 35..<50: .trickle
            case 50..<65: .cut
            case 65..<75: .halfClose
            case 75..<90: .reset
            case 90..<93: .silence
            default: isSecure ? .garble : .cut
            }
        // Equally many in the handshake, after a kilobyte, and after a megabyte.
        let magnitude = 1 << Int.random(in: 0...26)
        return RelayPlan(
            fault,
            behind: magnitude + Int.random(in: 0..<magnitude),
            pause: .milliseconds(Int.random(in: 20...1000))
        )
    }
}
