import Foundation
import TestSupport
import Testing
import WebSocketClient

@Suite(
    "Both directions at once over TLS, with a server that stalls at random",
    .blocking,
    .needsSecureServer
)
struct FullDuplexTests {
    /// How much goes each way. Without optimisation, or under ThreadSanitizer, the full amount takes
    /// too long.
    #if DEBUG
        private static let volume = 64 << 20
    #else
        private static let volume = 1 << 30
    #endif
    private static let senders = 3
    private static let sizes = [24, 125, 126, 1_000, 16_000, 70_000, 300_000, 1_500_000]

    private static let server = Result {
        let identity = try Certificates.shared.get().server
        return try Counterpart.process(running: "duplex_server.py") { port, _ in
            ["\(port)", identity.certificate, identity.key]
        }
    }

    private static func connect() throws -> WebSocket {
        var options = try SecureServer.options
        options.timeouts.send = .seconds(120)
        options.timeouts.receive = .seconds(120)
        let url = "wss://localhost:\(try server.get().port)/?bytes=\(volume)"
        return try WebSocket.connect(to: url, options: options)
    }

    @Test("Several threads send, one receives, another pings, and every byte arrives")
    func pump() throws {
        let socket = try Self.connect()
        let receiver = Background { try Self.receive(from: socket) }
        let senders = (1...Self.senders).map { sender in
            Background { try Self.send(as: sender, to: socket) }
        }
        let isDone = Promise<Void>()
        let pinger = Background { try Self.ping(socket, until: isDone) }

        let sent = try senders.map { try $0.join() }
        isDone.fulfil()
        try socket.send("finish")
        let (received, report) = try receiver.join()
        let messages = sent.reduce(0) { $0 + $1.messages }
        let bytes = sent.reduce(0) { $0 + $1.bytes }
        #expect(
            report == "sent \(received.messages) messages, received "
                + "\(bytes) bytes, \(messages) messages, 0 faults"
        )
        #expect(bytes >= Self.volume && received.bytes >= Self.volume)
        let slowestPing = try pinger.join()
        #expect(slowestPing < .seconds(30))
        #expect(try socket.close() != nil)
    }

    private struct Traffic {
        var messages = 0
        var bytes = 0
    }

    private static func send(as sender: Int, to socket: WebSocket) throws -> Traffic {
        var generator = SeededGenerator(state: UInt64(sender))
        var traffic = Traffic()
        while traffic.bytes < (volume + senders - 1) / senders {
            let size = sizes.randomElement(using: &generator) ?? 0
            let message = TestMessage(sender: sender, number: traffic.messages, size: size)
            switch traffic.messages % 4 {
            case 0: try socket.send(binary: message.bytes)
            case 1: try socket.send(message.text)
            case 2: try socket.sendBatch(binary: [message.bytes])
            default: try socket.send(fragments: [message.bytes])
            }
            traffic.messages += 1
            traffic.bytes += message.size
        }
        return traffic
    }

    /// Receives up to the server's report.
    private static func receive(from socket: WebSocket) throws -> (Traffic, report: String) {
        var traffic = Traffic()
        while true {
            switch try socket.receive() {
            case .text(let report): return (traffic, report)
            case .binary(let bytes):
                guard
                    TestMessage(bytes)
                        == TestMessage(sender: 0, number: traffic.messages, size: bytes.count)
                else { throw SupportError("message \(traffic.messages) is not as it was sent") }
                traffic.messages += 1
                traffic.bytes += bytes.count
            }
        }
    }

    /// Pings from time to time, and returns how long the slowest ping took to leave.
    private static func ping(_ socket: WebSocket, until isDone: Promise<Void>) throws -> Duration {
        var slowest = Duration.zero
        while !isDone.isFulfilled {
            slowest = try max(slowest, elapsed { try socket.ping("here") })
            pause(.milliseconds(20))
        }
        return slowest
    }
}
