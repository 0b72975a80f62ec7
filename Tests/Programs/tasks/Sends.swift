import LoopbackServer
import Synchronization
import TestSupport
import WebSocketClient

/// The messages that the peer has received.
private final class Arrivals: Sendable {
    private let numbers = Mutex<[Int]>([])
    private let damaged = Atomic<Int>(0)
    let isOver = Promise<Void>()

    var all: [Int] { numbers.withLock { $0 } }
    var damagedCount: Int { damaged.load(ordering: .relaxed) }

    func add(_ message: [UInt8]) {
        guard let number = number(message) else {
            damaged.add(1, ordering: .relaxed)
            return
        }
        numbers.withLock { $0.append(number) }
    }
}

/// Cancels `count` sends on one connection at random moments: a message reported as unsent never
/// arrives; one that was accepted or sent arrives once, whole and in order.
func cancelSends(_ count: Int) async throws {
    let arrivals = Arrivals()
    let server = try LoopbackServer { connection in
        defer { arrivals.isOver.fulfil() }
        var messages = 0
        while true {
            let message = try connection.receive().payload
            arrivals.add(message)
            messages += 1
            // Slowly at times, so that senders have to wait.
            if messages.isMultiple(of: 400) || message.count > 1 << 20 { pause(.milliseconds(2)) }
        }
    }
    defer { server.stop() }
    let socket = try await WebSocket.connect(to: server.url(), options: localOptions())
    var (unsent, arriving) = (Set<Int>(), [Int]())
    var (accepted, next) = (0, 0)
    while unsent.count + accepted < count {
        let number = next
        next += 1
        // Several in a row, to fill the system's buffers.
        let isLarge = number % 1_000 < 12
        let message = numbered(number, size: isLarge ? 1_500_000 : 2_000)
        let sending = Task {
            switch number % 3 {
            case 0: _ = try await socket.send(consuming: message)
            case 1: _ = try await socket.sendBatch(binary: [message])
            default: _ = try await socket.send(binary: message)
            }
        }
        for _ in 0..<(isLarge ? 3 + number % 37 : number % 3) { await Task.yield() }
        sending.cancel()
        do {
            try await sending.value
            arriving.append(number)
        } catch is CancellationError {
            unsent.insert(number)
        } catch WebSocketError.cancelled(.sending(isAccepted: true)) {
            accepted += 1
            arriving.append(number)
        } catch WebSocketError.batchInterrupted(let sent, _) {
            accepted += 1
            if sent > 0 { arriving.append(number) } else { unsent.insert(number) }
        }
    }
    let closing = try await socket.close(timeout: .seconds(60))
    try require(closing?.code == .normalClosure, "the closing handshake failed: \(closing as Any)")
    try await arrivals.isOver.awaited()
    let arrived = arrivals.all
    try require(arrivals.damagedCount == 0, "\(arrivals.damagedCount) messages were damaged")
    try require(unsent.isDisjoint(with: arrived), "messages reported as unsent have arrived")
    try require(arrived == arriving, "accepted messages didn't arrive once and in order")
    print(
        "ok     \(unsent.count + accepted) cancelled sends: \(unsent.count) unsent, \(accepted) accepted; "
            + "\(arrived.count) messages arrived whole"
    )
}
