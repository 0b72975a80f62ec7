import Foundation
import LoopbackServer
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Sending beside other threads", .blocking)
struct SendingTests {
    /// The frames that a server gets until the stream ends.
    private final class Log: Sendable {
        private let entries = Locked<[String]>([])
        let first = Promise<Void>()

        var all: [String] { entries.withLock { $0 } }

        func run(_ server: ServerConnection) {
            var payload: [UInt8] = []
            while let piece = try? server.nextPiece() {
                payload += Array(piece.bytes)
                guard piece.endsFrame else { continue }
                let text = String(decoding: payload.prefix(20), as: UTF8.self)
                entries.withLock { $0.append("\(piece.opcode) \(text)") }
                payload = []
                first.fulfil()
                if piece.opcode == .close { try? server.write(WireFrame(.close, [3, 0xE8])) }
            }
        }

        /// Waits until `count` frames have come.
        func await(_ count: Int) { while all.count < count { pause(.milliseconds(2)) } }
    }

    private func withLog<Result>(
        _ kind: WebSocket.Type = WebSocket.self,
        _ body: (WebSocket, Log) throws -> Result
    ) throws -> Result {
        let log = Log()
        return try withServer({ log.run($0) }) { server in
            let socket = try kind.connect(to: server.url())
            defer { socket.abort() }
            return try body(socket, log)
        }
    }

    @Test("While the body of a batch waits, other threads can send, and so can the body itself")
    func waitingBatch() throws {
        try withLog { socket, log in
            try socket.withBatch { batch in
                try batch.send("batched")
                try Background {
                    try socket.send("other")
                    try socket.ping("control")
                }.join()
                log.await(2)
                try socket.send("own")
                log.await(3)
            }
            log.await(4)
            #expect(log.all == ["text other", "ping control", "text own", "text batched"])
        }
    }

    @Test("A ping is answered while the body of a batch waits")
    func pongDuringBatch() throws {
        let answered = Promise<Void>()
        try withSocket { server in
            try server.write(WireFrame(.ping, [7]))
            while try server.nextPiece().opcode != .pong {}
            answered.fulfil()
            server.waitForEnd()
        } client: { socket in
            let receiver = Background { failure { try socket.receive() } }
            try socket.withBatch { batch in
                try batch.send("batched")
                try answered.value()
            }
            socket.abort()
            _ = try receiver.join()
        }
    }

    @Test("Closing while the body of a batch waits is clean, and nothing follows the close frame")
    func closeDuringBatch() throws {
        try withLog { socket, log in
            let error = failure {
                try socket.withBatch { batch in
                    try batch.send("never sent")
                    let answer = try Background { try socket.close() }.join()
                    #expect(answer?.code == .normalClosure)
                    try? batch.flush()
                    try? batch.send("nor this")
                }
            }
            guard case .batchInterrupted(sent: 0, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(log.all.count == 1)
        }
    }

    @Test("Nothing follows a close frame that was sent in the middle of a batch")
    func closeFrameDuringBatch() throws {
        try withLog { socket, log in
            let error = failure {
                try socket.withBatch { batch in
                    try batch.send("before")
                    try batch.flush()
                    try socket.sendClose()
                    try? batch.send("after")
                    try? batch.flush()
                    try? batch.send("later")
                }
            }
            guard case .batchInterrupted(sent: 1, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            log.await(2)
            pause(.milliseconds(50))
            #expect(log.all.count == 2)
            #expect(log.all.first == "text before")
        }
    }

    /// Fragments, each of which exists only when the server has got the one before.
    private struct Slow: Sequence, IteratorProtocol {
        let log: Log
        var number = 0
        var between: (Int) -> Void = { _ in }

        mutating func next() -> [UInt8]? {
            log.await(number)
            guard number < 4 else { return nil }
            between(number)
            number += 1
            return Array("part \(number)".utf8)
        }
    }

    @Test("Fragments leave as soon as they exist", arguments: [false, true])
    func fragments(inSubclass: Bool) throws {
        try withLog(inSubclass ? Bystander.self : WebSocket.self) { socket, log in
            try socket.send(fragments: Slow(log: log))
            log.await(5)
            let parts = ["binary part 1", "continuation part 2", "continuation part 3"]
            #expect(log.all == parts + ["continuation part 4", "continuation "])
        }
    }

    @Test(
        "Control frames can go out between fragments, but other messages can't",
        arguments: [false, true]
    )
    func intruders(inSubclass: Bool) throws {
        try withLog(inSubclass ? Bystander.self : WebSocket.self) { socket, log in
            let others = Locked<[Background<Void>]>([])
            let refusals = Atomic(0)
            var slow = Slow(log: log)
            slow.between = { number in
                guard number == 2 else { return }
                for size in [10, 100_000] {
                    let message = [UInt8](repeating: 0x78, count: size)
                    let other = Background { _ = try socket.send(binary: message) }
                    others.withLock { $0.append(other) }
                }
                pause(.milliseconds(50))
                // From the same thread, it would wait for itself.
                for call in [
                    { _ = try socket.send("own") }, { _ = try socket.sendBatch(["own"]) },
                    { try socket.send(fragments: [[1]]) },
                ] as [() throws -> Void] {
                    switch failure(call) {
                    case .invalidArgument, .batchInterrupted(0, cause: .invalidArgument):
                        refusals.add(1, ordering: .relaxed)
                    default: break
                    }
                }
            }
            try socket.send(fragments: slow)
            for other in others.withLock({ $0 }) { try other.join() }
            let refusalCount = refusals.load(ordering: .relaxed)
            #expect(refusalCount == 3)
            log.await(7)
            let all = log.all
            #expect(all.prefix(5).allSatisfy { !$0.hasPrefix("binary x") }, "\(all)")
            #expect(all.suffix(2).allSatisfy { $0.hasPrefix("binary x") }, "\(all)")
        }
    }

    @Test("A progress closure can ping, and can't send a message")
    func progress() throws {
        let path = NSTemporaryDirectory() + "progress-\(UUID().uuidString)"
        try Data(repeating: 1, count: 20_000).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        try withLog { socket, log in
            var refusals = 0
            try socket.send(contentsOf: path, framing: .oneMessage(fragmentBytes: 8_000)) {
                sent,
                _ in
                guard sent < 20_000 else { return }
                if case .invalidArgument = failure({ try socket.send("own") }) { refusals += 1 }
                let pinged: Void? = try? socket.ping("fine")
                #expect(pinged != nil)
            }
            #expect(refusals == 2)
            log.await(5)
        }
    }

    @Test(
        "Sending a pipe that nobody writes to doesn't hold up the connection's end"
    )
    func silentPipe() throws {
        let path = NSTemporaryDirectory() + "pipe-\(UUID().uuidString)"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        try withServer({ $0.waitForEnd() }) { server in
            for framing in [FileFraming.oneMessage(), .messages(bytes: 1_000)] {
                let socket = try WebSocket.connect(to: server.url())
                let sending = Background {
                    failure { try socket.send(contentsOf: path, framing: framing) }
                }
                pause(.milliseconds(50))
                socket.abort()
                let error = try sending.join()
                #expect(error != nil)
            }
        }
    }

    @Test(
        "Every size of pieces is accepted or refused, without a trap",
        arguments: [Int.min, -1, 0, 1, 3, 4, .max - 1, .max]
    )
    func extremePieces(bytes: Int) throws {
        let path = NSTemporaryDirectory() + "pieces-\(UUID().uuidString)"
        try Data(repeating: 1, count: 10).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        try withLog { socket, _ in
            for framing in [FileFraming.oneMessage(fragmentBytes: bytes), .messages(bytes: bytes)] {
                guard bytes < 4 else {
                    let sent = try socket.send(contentsOf: path, framing: framing)
                    #expect(sent == 10)
                    continue
                }
                let error = failure { try socket.send(contentsOf: path, framing: framing) }
                guard case .invalidArgument = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
        }
    }

    @Test("Text that isn't UTF-8 is refused for a subclass, too")
    func invalidTextInSubclass() throws {
        try withLog(Bystander.self) { socket, log in
            let text: [UInt8] = [0x61, 0xFF, 0x62]
            for error in [
                failure { try socket.send(text: text.span.bytes) },
                failure { try socket.withBatch { try $0.send(text: text.span.bytes) } },
            ] {
                switch error {
                case .invalidPayload(offset: 1),
                    .batchInterrupted(sent: 0, cause: .invalidPayload(offset: 1)):
                    break
                default: Issue.record("\(String(describing: error))")
                }
            }
            #expect(log.all.isEmpty)
        }
    }
}
