import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("The maximum delay of control frames", .blocking)
struct MaximumControlDelayTests {
    /// How the connection carries its bytes.
    enum Way: CaseIterable { case plain, secure, compressed, compressedByThreads }

    /// A peer that reads a little of a message, asks with a ping, and reads on when it may.
    private final class Peer: Sendable {
        let hasAsked = Promise<Void>()
        let goesOn = Promise<Void>()
        let whole = Promise<[UInt8]>()
        /// Payload of the message that came before the answer, as it is on the wire.
        let bytesBefore = Promise<Int>()
        /// Answer with a close frame instead, and expect one.
        let closes: Bool

        init(closes: Bool = false) { self.closes = closes }

        func run(_ connection: ServerConnection) throws {
            var assembler = MessageAssembler(
                validatesUTF8: false,
                inflater: connection.isCompressing
                    ? Inflater(
                        windowBits: 15,
                        noContextTakeover: false,
                        maximumMessageBytes: .max,
                        maximumRatio: .max
                    ) : nil
            )
            var count = 0
            while true {
                let piece = try connection.nextPiece()
                if piece.opcode.isControl {
                    if piece.opcode == (closes ? .close : .pong) { bytesBefore.fulfil(count) }
                    if closes { return }
                    continue
                }
                count += piece.bytes.count
                if try assembler.append(piece) { whole.fulfil(assembler.takeBytes()) }
                guard !hasAsked.isFulfilled else { continue }
                let frame =
                    closes ? WireFrame(.close, [3, 0xE8]) : WireFrame(.ping, [UInt8](1...9))
                try connection.write(frame.bytes)
                hasAsked.fulfil()
                try goesOn.value()
            }
        }
    }

    private static let size = 48 << 20
    private let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    private func options(_ way: Way = .plain) -> ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        options.maximumControlDelay = .milliseconds(1)
        options.tls = certificates.trusting
        if way == .compressed || way == .compressedByThreads {
            var deflate = DeflateOptions()
            deflate.level = 1
            if way == .compressedByThreads { deflate.threads = 2 }
            options.compression = deflate
        }
        return options
    }

    private func server(_ peer: Peer, _ way: Way = .plain) throws -> LoopbackServer {
        try LoopbackServer(
            compression: DeflateOptions(),
            tls: way == .secure
                ? try TLSServer(
                    certificateFile: certificates.server.certificate,
                    keyFile: certificates.server.key
                ) : nil,
            script: { connection in
                do {
                    try peer.run(connection)
                } catch {
                    peer.whole.fulfil(with: { throw error })
                    peer.bytesBefore.fulfil(with: { throw error })
                }
            }
        )
    }

    private func noise(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(state: 3)
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { bytes in
            for offset in stride(from: 0, to: count, by: 8) {
                bytes.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
            }
        }
        return bytes
    }

    /// Whether the answer to a ping waits for whoever is sending, or has gone.
    private func hasAnswered(_ socket: WebSocket) -> Bool {
        guard let sender = socket.connection?.sender else { return false }
        return sender.queuedBytes.load(ordering: .relaxed) > 0
            || sender.traffic.sent.tally.pongs > 0
    }

    @Test("A ping is answered between the fragments of a message", arguments: Way.allCases)
    func ping(way: Way) throws {
        let peer = Peer()
        let server = try server(peer, way)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options(way))
        defer { socket.abort() }
        let message = noise(Self.size)
        let reader = Background { failure { try socket.receive() } }
        let sender = Background { try socket.send(binary: message) }
        while !hasAnswered(socket) { pause(.milliseconds(1)) }
        peer.goesOn.fulfil()
        _ = try sender.join()
        #expect(try peer.bytesBefore.value() < Self.size)
        #expect(try peer.whole.value() == message)
        socket.abort()
        _ = try reader.join()
    }

    @Test("A ping of another thread doesn't wait for the message's end")
    func ownPing() throws {
        let peer = Peer()
        let server = try server(peer)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let sender = Background { try socket.send(consuming: noise(Self.size)) }
        try peer.hasAsked.value()
        // The peer reads nothing, and the call returns all the same.
        try socket.ping("1")
        try socket.pong("2")
        peer.goesOn.fulfil()
        _ = try sender.join()
        #expect(try peer.bytesBefore.value() < Self.size)
        #expect(try peer.whole.value().count == Self.size)
    }

    @Test("The peer's close frame is answered between the fragments of a message")
    func close() throws {
        let peer = Peer(closes: true)
        let server = try server(peer)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let reader = Background { failure { try socket.receive() } }
        let message = noise(Self.size)
        let sender = Background { failure { try socket.send(binary: message) } }
        try peer.hasAsked.value()
        while socket.connection?.closeReceived == nil { pause(.milliseconds(1)) }
        peer.goesOn.fulfil()
        #expect(try peer.bytesBefore.value() < Self.size)
        #expect(try sender.join()?.closure?.code == .normalClosure)
        #expect(try reader.join()?.closure?.code == .normalClosure)
    }

    @Test("The end says that the answered close frame has overtaken what a time-out had left")
    func closeAfterTimeout() throws {
        let peer = Peer(closes: true)
        let server = try server(peer)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let message = noise(Self.size)
        socket.timeout = .milliseconds(50)
        let cut = failure { try socket.send(binary: message) }
        guard case .timedOut(.sending(isAccepted: true))? = cut else {
            Issue.record("the peer doesn't read")
            return
        }
        try peer.hasAsked.value()
        socket.timeout = .ample
        let reader = Background { failure { try socket.receive() } }
        while socket.connection?.closeReceived == nil { pause(.milliseconds(1)) }
        peer.goesOn.fulfil()
        #expect(try peer.bytesBefore.value() < Self.size)
        #expect(try reader.join()?.closure?.unsentMessages == 1)
        #expect(failure { try socket.send("late") }?.closure?.unsentMessages == 1)
        #expect(failure { try socket.flush() }?.closure?.unsentMessages == 1)
    }

    @Test("Tasks' messages let control frames pass, cancelled or not", arguments: [false, true])
    func task(isCancelled: Bool) async throws {
        let peer = Peer()
        let server = try server(peer)
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let message = noise(Self.size)
        let reader = Task { await asyncFailure { try await socket.receive() } }
        let sender = Task { await asyncFailure { try await socket.send(binary: message) } }
        try await peer.hasAsked.awaited()
        while !hasAnswered(socket) { try await Task.sleep(for: .milliseconds(1)) }
        if isCancelled {
            sender.cancel()
            guard case WebSocketError.cancelled(.sending(isAccepted: true))? = await sender.value
            else {
                Issue.record("what was accepted stays accepted")
                return
            }
        }
        peer.goesOn.fulfil()
        #expect(try await peer.bytesBefore.awaited() < Self.size)
        #expect(try await peer.whole.awaited() == message)
        if !isCancelled { #expect(await sender.value == nil) }
        socket.abort()
        _ = await reader.value
    }

    @Test("A task's message that a close frame overtakes fails")
    func taskClose() async throws {
        let peer = Peer(closes: true)
        let server = try server(peer)
        defer { server.stop() }
        let socket = try await WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let message = noise(Self.size)
        let reader = Task { await asyncFailure { try await socket.receive() } }
        let sender = Task { await asyncFailure { try await socket.send(binary: message) } }
        try await peer.hasAsked.awaited()
        while socket.connection?.closeReceived == nil {
            try await Task.sleep(for: .milliseconds(1))
        }
        peer.goesOn.fulfil()
        #expect(try await peer.bytesBefore.awaited() < Self.size)
        #expect((await sender.value as? WebSocketError)?.closure?.code == .normalClosure)
        _ = await reader.value
    }

    @Test("A file that goes as one message is cut finer, and arrives whole")
    func file() throws {
        let peer = Peer()
        peer.goesOn.fulfil()
        let server = try server(peer)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let text = String(repeating: "payload €", count: 100_000)
        let path = try PayloadFiles.shared.path(of: Array(text.utf8))
        try socket.send(contentsOf: path, as: .text)
        #expect(try peer.whole.value() == Array(text.utf8))
    }

    @Test("An override of send(frame:) sees messages whole")
    func override() throws {
        let peer = Peer()
        peer.goesOn.fulfil()
        let server = try server(peer)
        defer { server.stop() }
        let socket = try Recorder.connect(to: server.url(), options: options())
        defer { socket.abort() }
        let message = noise(1 << 20)
        try socket.send(binary: message)
        #expect(socket.sent.withLock { $0.map(\.payload) } == [message])
        #expect(try peer.whole.value() == message)
    }

    @Test("A delay must be more than zero", arguments: [Duration.zero, .seconds(-1)])
    func invalid(delay: Duration) throws {
        var options = ConnectOptions()
        options.maximumControlDelay = delay
        let server = try LoopbackServer()
        defer { server.stop() }
        let error = failure { try WebSocket.connect(to: server.url(), options: options) }
        guard case .invalidArgument? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
