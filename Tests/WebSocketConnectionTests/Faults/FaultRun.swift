import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// One connection under a fault: each message is sent and its echo received, with retries after
/// time-outs, and then the connection is closed. The outcome is compared with the promises.
final class FaultRun {
    private let exchange: Exchange
    private let fault: FaultPlan.Fault?
    /// The fault in words.
    private let circumstances: String
    private let peer: EchoPeer
    /// Whether the system takes bytes that may not arrive: then only the closing handshake shows a
    /// loss, if nothing is received.
    private let isBuffered: Bool
    private weak var stream: FaultyStream?
    /// The descriptor that tasks register; nothing happens to it.
    private let wakeUp: WakeUp?

    private var expected: [EchoPeer.Entry] = []
    private var accepted: [EchoPeer.Entry] = []
    private var received: [[UInt8]] = []
    private var failures: [WebSocketError] = []
    private var closed: ClosePayload?
    private var endlessWaits = 0
    private var waits = 0
    private(set) var progress = (read: 0, written: 0)

    /// How often a call is made in all if it times out.
    private static let attempts = 3

    /// Over a stream in memory.
    init(_ exchange: Exchange, _ plan: FaultPlan, isSecure: Bool = false) throws {
        self.exchange = exchange
        fault = plan.fault
        circumstances = plan.description
        // What a task has left is written later, or never.
        isBuffered = exchange.isAwaited
        wakeUp = exchange.isAwaited ? try WakeUp() : nil
        peer = EchoPeer(compression: exchange.isCompressed ? Exchange.compression : nil)
        let lower: any MemoryPeer = isSecure ? try TLSEchoPeer(peer) : peer
        let descriptor = wakeUp?.descriptor ?? -1
        try converse(
            over: FaultyStream(lower, descriptor: descriptor),
            plan,
            isSecure: isSecure
        )
        // The task of the last call, and the reactor, may hold it for another moment.
        if exchange.isAwaited { _ = eventually { self.stream == nil } }
    }

    private func converse(over stream: FaultyStream, _ plan: FaultPlan, isSecure: Bool) throws {
        self.stream = stream
        let socket = exchange.kind.init(options: exchange.options)
        let scheme = isSecure ? "wss" : "ws"
        if isSecure { socket.options.tls = try Certificates.shared.get().trusting }
        try socket.open("\(scheme)://localhost/") {
            (connectPlan, wakeUp) throws(TransportError) in
            try Connector.complete(connectPlan, over: stream, wakeUp: wakeUp)
        }
        stream.begin(plan) { [weak socket] in socket?.abort() }
        try converse(over: socket)
        endlessWaits = stream.endlessWaits
        waits = stream.waits
        progress = stream.progress
    }

    /// Over a socket that is connected to `peer`, which nobody else touches once `end` has returned.
    init(
        _ exchange: Exchange,
        over socket: WebSocket,
        to peer: EchoPeer,
        _ fault: FaultPlan.Fault?,
        _ circumstances: String,
        end: () throws -> Void
    ) throws {
        self.exchange = exchange
        self.fault = fault
        self.circumstances = circumstances
        self.peer = peer
        isBuffered = true
        wakeUp = nil
        try converse(over: socket)
        try end()
    }

    private func converse(over socket: WebSocket) throws {
        for index in exchange.sizes.indices {
            let count = send(index, over: socket)
            receive(count, from: socket)
        }
        closed = exchange.isAwaited ? try closeAwaited(socket) : try socket.close()
    }

    private func closeAwaited(_ socket: WebSocket) throws -> ClosePayload? {
        // It can't be cancelled, so in a stall its time has to pass.
        let stalls = wakeUp != nil && (fault == .stall || fault == .stallOnce)
        let timeout: Duration? = stalls ? .milliseconds(5) : nil
        return try awaiting(over: socket) { try await socket.close(timeout: timeout) }
    }

    /// Sends until it is accepted; returns how many messages will come back.
    private func send(_ index: Int, over socket: WebSocket) -> Int {
        let entries = exchange.entries(index)
        expected += entries
        for _ in 0..<Self.attempts {
            let (count, error) = exchange.send(index, over: socket)
            accepted += entries[..<count]
            if let error { failures.append(error) }
            if error == nil || count > 0 {
                return entries[..<count].count { !$0.opcode.isControl }
            }
        }
        return 0
    }

    private func receive(_ count: Int, from socket: WebSocket) {
        var reception = Reception()
        var attempts = Self.attempts
        var count = count
        while count > 0, attempts > 0 {
            do {
                let message = try reception.next(
                    exchange.receiving,
                    isAwaited: exchange.isAwaited,
                    from: socket
                )
                received.append(message)
                count -= 1
            } catch {
                guard let error = error as? WebSocketError else { preconditionFailure("\(error)") }
                failures.append(error)
                attempts -= 1
            }
        }
    }

    // MARK: The promises

    /// The broken promises.
    var broken: [String] {
        var broken: [String] = []
        func promise(_ isKept: Bool, _ words: String) {
            if !isKept { broken.append(words) }
        }
        promise(peer.fault == nil, "the client keeps to the protocol")
        promise(endlessWaits == 0, "no call waits without end")
        promise(waits < 100_000, "no call spins")
        promise(stream == nil, "the stream is released")
        let data = peer.received.filter { $0.opcode != .close }
        promise(accepted.starts(with: data), "arriving messages were accepted, in order and once")
        promise(expected.starts(with: accepted), "accepted messages were sent, in order and once")
        promise(echoes.starts(with: received), "received messages were sent, in order and once")
        promise(areFailuresOfTheFault, "the error says what happened")
        if failures.isEmpty, !isBuffered || closed != nil {
            promise(
                received.count == echoes.count && data == expected,
                "no loss goes unnoticed"
            )
        }
        switch fault {
        case nil, .cut:
            promise(failures.isEmpty, "nothing fails")
            promise(closed?.code == .normalClosure, "the connection is closed cleanly")
            promise(answersPings, "each ping is answered")
        case .stallOnce where !hasAborted:
            promise(failures.count <= 1, "there is at most one time-out")
            // What a task's ping has left is lost if time runs out while closing.
            let isCutShort = isBuffered && closed == nil
            promise(
                isCutShort || data == expected,
                "the unsent rest goes out first, and everything arrives"
            )
            promise(received.count == echoes.count, "the next call goes on where one stopped")
            // A time-out while closing ends the connection, even if pings are still unanswered.
            promise(answersPings || closed == nil, "each ping is answered")
        default: break
        }
        return broken.isEmpty ? [] : broken + [facts]
    }

    private var facts: String {
        "\(exchange), \(circumstances): accepted \(accepted.count) of \(expected.count), "
            + "arrived \(peer.received.count), received \(received.count) of \(echoes.count), "
            + "failures \(failures), fault \(peer.fault ?? "none"), "
            + "closed with \(closed.map { "\($0)" } ?? "nothing")"
    }

    private var echoes: [[UInt8]] {
        peer.echoed.map { exchange.receiving == .receiveFrame ? $0.payload : $0.message.bytes }
    }

    /// A caller that receives single frames has to answer pings itself, and this one doesn't.
    private var answersPings: Bool {
        exchange.receiving == .receiveFrame || peer.answeredPings == peer.echoed.count
    }

    var hasAborted: Bool { failures.contains { $0.isAborted } }

    private var areFailuresOfTheFault: Bool {
        for (number, failure) in failures.enumerated() {
            switch (fault, failure) {
            case (.stall, .timedOut(.sending)), (.stallOnce, .timedOut(.sending)): continue
            case (.stall, .timedOut(.receiving)), (.stallOnce, .timedOut(.receiving)): continue
            case (.stall, .aborted), (.stallOnce, .aborted):
                // After an error inside a message, nothing else can follow its fragments.
                guard exchange.abortsInside, number > 0 else { return false }
            case (.abort, .aborted): continue
            case (.reset, .connectionClosed(let closure)), (.end, .connectionClosed(let closure)):
                guard closure.received == nil, closure.cause != nil else { return false }
            case (.reset, .aborted), (.end, .aborted):
                guard exchange.abortsInside, number > 0 else { return false }
            default: return false
            }
        }
        return true
    }
}
