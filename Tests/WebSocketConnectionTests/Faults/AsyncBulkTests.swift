import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Tasks that move much over a stream that never makes them wait", .blocking)
struct AsyncBulkTests {
    private static let compression = {
        var options = DeflateOptions()
        options.threshold = 1000
        return options
    }()

    private func connect(
        to peer: any MemoryPeer,
        compression: DeflateOptions? = nil,
        descriptor: Int32 = -1
    ) throws -> (WebSocket, FaultyStream) {
        let stream = FaultyStream(peer, descriptor: descriptor)
        var options = Exchange().options
        options.compression = compression
        let socket = WebSocket(options: options)
        try socket.open("ws://localhost/") { plan, wakeUp throws(TransportError) in
            try Connector.complete(plan, over: stream, wakeUp: wakeUp)
        }
        return (socket, stream)
    }

    @Test(
        "A batch writes once for all messages that fit into 256 KiB",
        arguments: [(1000, 260), (16 << 10, 15), (64 << 10, 4)]
    )
    func writes(size: Int, count: Int) async throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(to: peer)
        let before = stream.writes
        let message = [UInt8](repeating: 7, count: size)
        #expect(try await socket.sendBatch(binary: repeatElement(message, count: count)) == count)
        #expect(stream.writes - before == 1)
        #expect(
            peer.received == Array(repeating: .init(opcode: .binary, bytes: message), count: count)
        )
    }

    @Test("Messages that are compressed keep their place in a batch and share its writes")
    func compressed() async throws {
        let peer = EchoPeer(compression: Self.compression)
        let (socket, stream) = try connect(to: peer, compression: Self.compression)
        let before = stream.writes
        let sizes = (0..<40).map { $0 % 5 < 3 ? 10 + $0 : 2000 + $0 }
        let messages = sizes.map { String(repeating: "a", count: $0) }
        #expect(try await socket.sendBatch(messages) == sizes.count)
        #expect(peer.received.map(\.bytes.count) == sizes)
        #expect(peer.fault == nil)
        // Those before the first one that is compressed, and the others.
        #expect(stream.writes - before == 2)
    }

    @Test("A batch counts the messages that the stream took before it failed")
    func countWhenLost() async throws {
        let peer = EchoPeer()
        let (socket, stream) = try connect(to: peer)
        stream.begin(.at(10 * 108 + 50, .outbound, .reset))
        let message = [UInt8](repeating: 7, count: 100)
        let error = await asyncFailure {
            try await socket.sendBatch(binary: repeatElement(message, count: 100))
        }
        guard case WebSocketError.batchInterrupted(sent: 10, .connectionClosed)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(peer.received.count == 10)
    }

    /// Answers the handshake, and any message with many.
    private final class FloodingPeer: MemoryPeer {
        private let peer = EchoPeer()
        let count: Int
        let hasEnded = false

        init(count: Int) { self.count = count }

        func receive(_ bytes: [UInt8]) -> [UInt8] {
            let answer = peer.receive(bytes)
            guard !peer.received.isEmpty else { return answer }
            let frame = WireFrame(.binary, [UInt8](repeating: 7, count: 1000)).bytes
            return Array(repeatElement(frame, count: count).joined())
        }
    }

    @Test("A loop over messages that keep coming lets other tasks of its actor run")
    @MainActor
    func fairness() async throws {
        let count = 2000
        // Whoever receives in a loop is registered, and its first wait ends at once: something is there.
        let wakeUp = try WakeUp()
        wakeUp.signal()
        let (socket, stream) = try connect(
            to: FloodingPeer(count: count),
            descriptor: wakeUp.descriptor
        )
        defer { socket.abort() }
        try await socket.send("go")
        var plan = FaultPlan.none
        plan.pieceBytes = 1000
        stream.begin(plan)
        var hasOtherRun = false
        Task { hasOtherRun = true }
        var rest = count
        try await socket.forEachMessage { _, _ in
            rest -= 1
            return !hasOtherRun && rest > 0
        }
        #expect(hasOtherRun)
    }
}
