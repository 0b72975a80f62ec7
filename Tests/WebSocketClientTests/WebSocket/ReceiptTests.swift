import Foundation
import LoopbackServer
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

@Suite("Receipts for sent messages", .blocking)
struct ReceiptTests {
    private let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    /// A peer that reads nothing until it is allowed to.
    private final class Peer: Sendable {
        private let descriptor = Promise<Int32>()
        private let reads = Promise<Bool>()

        func run(_ connection: ServerConnection) throws {
            descriptor.fulfil(connection.stream.descriptor)
            if try reads.value() { connection.waitForEnd() }
        }

        func read() { reads.fulfil(true) }

        /// Ends the connection; with unread bytes, that is a reset.
        func leave() { reads.fulfil(false) }

        /// How much the system holds for the peer's program to read.
        func unreadBytes() throws -> UInt64 {
            var count: Int32 = 0
            let result = ioctl(try descriptor.value(), UInt(FIONREAD), &count)
            try #require(result == 0)
            return UInt64(count)
        }
    }

    private func withPeer(
        isSecure: Bool = false,
        _ body: (WebSocket, Peer) throws -> Void
    ) throws {
        let peer = Peer()
        let server = try LoopbackServer(
            tls: isSecure
                ? try TLSServer(
                    certificateFile: certificates.server.certificate,
                    keyFile: certificates.server.key
                ) : nil,
            script: { try peer.run($0) }
        )
        defer { server.stop() }
        defer { peer.read() }
        var options = ConnectOptions()
        options.tls = certificates.trusting
        let socket = try WebSocket.connect(to: server.url(), options: options)
        defer { socket.abort() }
        try body(socket, peer)
    }

    /// Sends until the peer's system takes no more.
    private func fill(_ socket: WebSocket) throws -> [SendReceipt] {
        let message = [UInt8](repeating: 1, count: 4 << 10)
        var receipts: [SendReceipt] = []
        socket.timeout = .milliseconds(200)
        while true {
            do {
                receipts.append(try socket.sendWithReceipt(binary: message))
            } catch WebSocketError.timedOut(.sending) {
                return receipts
            }
        }
    }

    private func isAcknowledgementTimeout(_ error: WebSocketError?) -> Bool {
        if case .timedOut(.acknowledgement)? = error { true } else { false }
    }

    @Test("Bytes that the peer's system has count as acknowledged, read or not")
    func unread() throws {
        try withPeer { socket, peer in
            let receipts = try fill(socket)
            let acknowledged = socket.acknowledged
            #expect(acknowledged.position > 0)
            #expect(acknowledged.position <= (try peer.unreadBytes()))
            let last = try #require(receipts.last)
            #expect(last > acknowledged)
            #expect(
                isAcknowledgementTimeout(
                    failure { try socket.waitUntilAcknowledged(last, timeout: .milliseconds(30)) }
                )
            )
            peer.read()
            try socket.waitUntilAcknowledged(last, timeout: .ample)
            #expect(last <= socket.acknowledged)
            #expect(receipts == receipts.sorted())
        }
    }

    @Test("Under TLS, a receipt is acknowledged with the last byte of its records")
    func unreadSecure() throws {
        try withPeer(isSecure: true) { socket, peer in
            let receipts = try fill(socket)
            let acknowledged = socket.acknowledged
            #expect(acknowledged.position <= (try peer.unreadBytes()))
            let last = try #require(receipts.last)
            #expect(last > acknowledged)
            peer.read()
            socket.timeout = .ample
            let all = try socket.flush()
            try socket.waitUntilAcknowledged(all, timeout: .ample)
            #expect(all <= socket.acknowledged)
            #expect(socket.acknowledged == all)
        }
    }

    @Test("A receipt is the end of its frame, whatever the kind of message")
    func positions() throws {
        try withPeer { socket, peer in
            peer.read()
            let start = try socket.flush()
            #expect(start.position == 0)
            #expect(try socket.sendWithReceipt("héllo").position == 12)
            #expect(try socket.sendWithReceipt(binary: [1, 2]).position == 20)
            #expect(try socket.sendWithReceipt(.text("x"), compression: .never).position == 27)
            #expect(try socket.sendWithReceipt(PreparedMessage("abc")).position == 36)
            try socket.sendBatch(["1", "2", "3"])
            try socket.ping()
            let end = try socket.flush()
            #expect(end.position == 36 + 21 + 6)
            try socket.waitUntilAcknowledged(end, timeout: .ample)
            #expect(socket.acknowledged == end)
        }
    }

    @Test(
        "Receipts of threads that send at the same time are all different, and the greatest covers all"
    )
    func threads() throws {
        try withPeer { socket, peer in
            peer.read()
            let threads = (0..<4).map { number in
                Background {
                    try (0..<500).map { index in
                        if index % 7 == 0 { try socket.ping("p") }
                        if index % 5 == 0 { try socket.send("no receipt") }
                        return try socket.sendWithReceipt("\(number) \(index)")
                    }
                }
            }
            let receipts = try threads.map { try $0.join() }
            for own in receipts { #expect(own == own.sorted()) }
            #expect(Set(receipts.joined()).count == 2_000)
            let greatest = try #require(receipts.joined().max())
            #expect(greatest <= (try socket.flush()))
            try socket.waitUntilAcknowledged(greatest, timeout: .ample)
        }
    }

    @Test("A message that timed out is covered by the next receipt")
    func timedOut() throws {
        try withPeer { socket, peer in
            let last = try #require(try fill(socket).last)
            peer.read()
            socket.timeout = .ample
            // The interrupted frame: 4 KiB, a header of 4 bytes and the masking key.
            #expect(try socket.flush().position - last.position == 4096 + 8)
        }
    }

    @Test("A wait ends when the socket is aborted")
    func aborted() throws {
        try withPeer { socket, peer in
            let last = try #require(try fill(socket).last)
            let thread = Background { failure { try socket.waitUntilAcknowledged(last) } }
            pause(.milliseconds(50))
            socket.abort()
            #expect(try thread.join()?.isAborted == true)
            #expect(last > socket.acknowledged)
        }
    }

    @Test("A wait ends when the peer resets the connection, even if nobody receives")
    func reset() throws {
        try withPeer { socket, peer in
            let last = try #require(try fill(socket).last)
            let before = socket.acknowledged
            let thread = Background { failure { try socket.waitUntilAcknowledged(last) } }
            pause(.milliseconds(50))
            peer.leave()
            #expect(try thread.join()?.closure != nil)
            #expect(socket.acknowledged >= before)
            #expect(last > socket.acknowledged, "lost bytes aren't acknowledged")
        }
    }

    @Test(
        "Acknowledged messages stay acknowledged after the end, and the last known position can be read"
    )
    func afterTheEnd() throws {
        try withSocket(server: Script.echo) { socket in
            let receipt = try socket.sendWithReceipt("x")
            _ = try socket.receive()
            try socket.close()
            #expect(receipt <= socket.acknowledged)
            try socket.waitUntilAcknowledged(receipt)
            let later = SendReceipt(
                position: receipt.position + 1000,
                connection: receipt.connection
            )
            #expect(failure { try socket.waitUntilAcknowledged(later) }?.closure != nil)
        }
    }

    @Test("A receipt of an earlier connection is never acknowledged by a later one")
    func otherConnection() throws {
        try withServer(Script.echo) { server in
            let socket = try WebSocket.connect(to: server.url())
            let old = try socket.sendWithReceipt("x")
            socket.abort()
            try socket.connect(to: server.url())
            let new = try socket.sendWithReceipt("a longer one")
            try socket.waitUntilAcknowledged(new, timeout: .ample)
            #expect(old > socket.acknowledged)
            #expect(new <= socket.acknowledged)
            guard case .invalidArgument? = failure({ try socket.waitUntilAcknowledged(old) })
            else {
                Issue.record("it was accepted")
                return
            }
            try socket.close()
        }
    }

    @Test("Without a connection, no receipt is acknowledged")
    func unconnected() throws {
        #expect(WebSocket().acknowledged < SendReceipt(position: 0, connection: 1))
    }

    @Test("Waiting on a stream without acknowledgements is an error")
    func unknown() throws {
        let (near, far) = try makeStreamPair()
        try near.writeAll([1, 2, 3], until: .ample)
        #expect(near.writtenBytes == 3)
        #expect(near.acknowledgedBytes == nil)
        withExtendedLifetime(far) {}
    }

    @Test("A subclass that overrides the frame level gets receipts as well")
    func subclass() throws {
        final class Counting: WebSocket, @unchecked Sendable {
            let count = Locked(0)
            override func send(frame: Frame) throws -> Int {
                count.withLock { $0 += 1 }
                return try super.send(frame: frame)
            }
        }
        try withServer(Script.echo) { server in
            let socket = try Counting.connect(to: server.url())
            let receipt = try socket.sendWithReceipt("x")
            #expect(receipt.position == 7)
            #expect(socket.count.withLock { $0 } == 1)
            try socket.waitUntilAcknowledged(receipt, timeout: .ample)
            try socket.close()
        }
    }

    @Test("Compressed messages have receipts too", arguments: [1, 2])
    func compressed(threads: Int) throws {
        var options = ConnectOptions()
        var deflate = DeflateOptions()
        deflate.threads = threads
        options.compression = deflate
        let server = try LoopbackServer(compression: DeflateOptions(), script: Script.echo)
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let text = String(repeating: "abc", count: 1000)
        let receipt = try socket.sendWithReceipt(text)
        #expect(receipt.position < 100)
        try socket.waitUntilAcknowledged(receipt, timeout: .ample)
        #expect(try socket.receive() == .text(text))
        try socket.close()
    }

    // MARK: Tasks

    @Test("Tasks get the same receipts, and sleep until they are acknowledged")
    func tasks() async throws {
        try await withAsyncSocket(server: Script.echo) { socket in
            #expect(try await socket.sendWithReceipt("héllo").position == 12)
            #expect(try await socket.sendWithReceipt(binary: [1, 2]).position == 20)
            let prepared = PreparedMessage("abc")
            #expect(try await socket.sendWithReceipt(prepared).position == 29)
            let receipt = try await socket.flush()
            #expect(receipt.position == 29)
            try await socket.waitUntilAcknowledged(receipt, timeout: .ample)
            #expect(receipt <= socket.acknowledged)
        }
    }

    @Test("A task's wait ends at its time-out, on cancellation and with the connection")
    func taskEnds() async throws {
        let start = Promise<Void>()
        try await withAsyncSocket(server: Script.reads(after: start) { _ in }) { socket in
            defer { start.fulfil() }
            socket.timeout = .milliseconds(200)
            let message = [UInt8](repeating: 1, count: 4 << 10)
            var receipts: [SendReceipt] = []
            let full = await asyncFailure {
                while true { receipts.append(try await socket.sendWithReceipt(binary: message)) }
            }
            guard case WebSocketError.timedOut(.sending)? = full else {
                Issue.record("\(String(describing: full))")
                return
            }
            let last = try #require(receipts.last)
            let late = await asyncFailure {
                try await socket.waitUntilAcknowledged(last, timeout: .milliseconds(30))
            }
            #expect(isAcknowledgementTimeout(late as? WebSocketError))
            let task = Task { try await socket.waitUntilAcknowledged(last) }
            try await Task.sleep(for: .milliseconds(30))
            task.cancel()
            #expect(await asyncFailure { try await task.value } is CancellationError)
            let other = Task { try await socket.waitUntilAcknowledged(last) }
            try await Task.sleep(for: .milliseconds(30))
            socket.abort()
            let error = await asyncFailure { try await other.value } as? WebSocketError
            #expect(error?.isAborted == true)
        }
    }
}
