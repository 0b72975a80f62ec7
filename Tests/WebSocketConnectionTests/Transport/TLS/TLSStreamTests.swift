import CWebSocketOpenSSL
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("TLS streams", .blocking)
struct TLSStreamTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    private func connect(
        maximumVersion: TLSOptions.Version? = nil
    ) throws -> (client: TLSStream, server: TLSStream) {
        try TLSPair(certificates.server, maximumVersion: maximumVersion)
            .connect(certificates.trusting)
    }

    @Test(
        "Data of sizes around a record's arrives whole",
        arguments: [TLSOptions.Version.tls12, .tls13]
    )
    func sizes(version: TLSOptions.Version) throws {
        let (client, server) = try connect(maximumVersion: version)
        for size in [1, 16383, 16384, 16385, 245_759, 245_760, 245_761, 1_000_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            let reader = Background { try server.readExactly(size) }
            try client.writeAll(bytes)
            #expect(try reader.join() == bytes)
        }
    }

    @Test("A small read leaves the rest for the next one, whose wait returns at once")
    func buffered() throws {
        let (client, server) = try connect()
        try server.writeAll([1, 2, 3, 4, 5])
        #expect(try client.readSome(2) == [1, 2])
        try client.wait(for: .read, until: .after(.zero))
        #expect(try client.readSome(2) == [3, 4])
        #expect(try client.readSome(2) == [5])
        #expect(throws: TransportError.timedOut(nil)) {
            try client.wait(for: .read, until: .after(.milliseconds(20)))
        }
    }

    @Test("Empty buffers move nothing")
    func empty() throws {
        let (client, _) = try connect()
        #expect(
            try client.read(into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) == .bytes(0)
        )
        #expect(try client.write(UnsafeRawBufferPointer(start: nil, count: 0)) == .bytes(0))
    }

    @Test("close_notify is a clean end, distinguished from an end without it")
    func ends() throws {
        let (client, server) = try connect()
        try server.writeAll([1])
        server.finishWriting()
        #expect(try client.readSome() == [1])
        #expect(try client.readSome() == nil)
        #expect(try client.readSome() == nil)
        // The other direction is still open.
        try client.writeAll([2])
        #expect(try server.readSome() == [2])

        let (victim, attacker) = try connect()
        try attacker.writeAll([1])
        shutdown(attacker.descriptor, Int32(SHUT_WR))
        #expect(try victim.readSome() == [1])
        #expect(throws: TransportError.truncated) { try victim.readSome() }
        #expect(throws: TransportError.truncated) { try victim.readSome() }
    }

    @Test("Bytes that aren't TLS break the connection, for reading and for writing")
    func garbage() throws {
        let (client, server) = try connect()
        try server.writeAll([1])
        let bytes = [UInt8](repeating: 0x41, count: 64)
        #expect(send(server.descriptor, bytes, bytes.count, 0) == bytes.count)
        #expect(try client.readSome() == [1])
        for _ in 0..<2 {
            let error = #expect(throws: TransportError.self) { try client.readSome() }
            guard case .tls(let failure) = error else {
                throw SupportError("got \(String(describing: error))")
            }
            #expect(failure.kind == .connection)
        }
        #expect(throws: TransportError.self) { try client.writeAll([1]) }
    }

    @Test("With a server that lacks TLS, closes or resets, the handshake error says so")
    func noTLS() throws {
        let certificates = certificates
        func attempt(_ serve: @escaping @Sendable (any ByteStream) throws -> Void) throws
            -> TLSError
        {
            let listener = try Listener()
            let serving = Background {
                try serve(try listener.accept(until: .ample))
            }
            var plan = ConnectPlan(
                target: .host("127.0.0.1", port: listener.port),
                serverName: "localhost"
            )
            plan.tls = certificates.trusting
            let error = #expect(throws: TransportError.self) {
                try Connector.connect(plan, wakeUp: WakeUp())
            }
            try serving.join()
            guard case .tls(let failure) = error else {
                throw SupportError("got \(String(describing: error))")
            }
            return failure
        }
        let wrong = try attempt { stream in
            _ = try stream.readSome()
            try stream.writeAll(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            _ = try? stream.readSome()
        }
        #expect(wrong.kind == .handshake)
        #expect(
            wrong.reason
                == "wrong version number; the other end doesn't seem to speak TLS on this port"
        )
        let closed = try attempt { stream in _ = try stream.readSome() }
        #expect(closed.kind == .handshake && closed.reason == "the peer closed the connection")
        let lost = try attempt { stream in
            _ = try stream.readSome()
            try reset(stream)
        }
        #expect(lost.kind == .handshake && lost.reason == "the peer reset the connection")
    }

    @Test("With a silent server, the handshake's own time-out or the total one ends the attempt")
    func silentServer() throws {
        let listener = try Listener()
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: listener.port),
            serverName: "localhost"
        )
        plan.tls = certificates.trusting
        plan.tlsTimeout = .milliseconds(50)
        #expect(throws: TransportError.timedOut(.tlsHandshake)) {
            try Connector.connect(plan, wakeUp: WakeUp())
        }
        plan.tlsTimeout = nil
        plan.deadline = .after(.milliseconds(50))
        #expect(throws: TransportError.timedOut(.tlsHandshake)) {
            try Connector.connect(plan, wakeUp: WakeUp())
        }
    }

    @Test("abort ends a handshake, a blocked reader and a blocked writer")
    func abort() throws {
        let listener = try Listener()
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: listener.port),
            serverName: "localhost"
        )
        plan.tls = certificates.trusting
        let wakeUp = try WakeUp()
        let connecting = Background { [plan] in _ = try Connector.connect(plan, wakeUp: wakeUp) }
        pause(.milliseconds(20))
        wakeUp.signal()
        #expect(throws: TransportError.aborted) { try connecting.join() }

        let (client, server) = try connect()
        let reader = Background { try client.readSome(until: .never) }
        let writer = Background {
            let bytes = [UInt8](repeating: 1, count: 1 << 20)
            while true { try client.writeAll(bytes, until: .never) }
        }
        pause(.milliseconds(50))
        client.abort()
        #expect(throws: TransportError.aborted) { try reader.join() }
        #expect(throws: TransportError.aborted) { () throws in try writer.join() }
        withExtendedLifetime(server) {}
    }

    @Test("A write that the deadline interrupted goes on where it stopped")
    func interruptedWrite() throws {
        let (client, server) = try connect()
        let bytes = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        var sent = 0
        let interrupted = Promise<Void>()
        let reader = Background { () throws -> [UInt8] in
            try interrupted.value()
            return try server.readExactly(bytes.count)
        }
        while sent < bytes.count {
            let transfer = try bytes[sent...].withUnsafeBytes { try client.write($0) }
            switch transfer {
            case .bytes(let count): sent += count
            case .wouldBlock(let interest):
                let isReady = try? client.wait(for: interest, until: .after(.milliseconds(10)))
                if isReady == nil { interrupted.fulfil() }
            case .endOfStream: throw SupportError("end of stream")
            }
        }
        #expect(try reader.join() == bytes)
    }

    @Test(
        "Both directions run at full speed at once, with a peer that stalls at random",
        arguments: [TLSOptions.Version.tls12, .tls13]
    )
    func fullDuplex(version: TLSOptions.Version) throws {
        let (client, server) = try connect(maximumVersion: version)
        let total = 48 << 20
        let pattern = Pattern()
        let echo = Background { () throws in
            while let bytes = try server.readSome(100_000) {
                if Int.random(in: 0..<64) == 0 { pause(.microseconds(Int.random(in: 0...3000))) }
                try server.writeAll(bytes)
            }
            server.finishWriting()
        }
        let writer = Background { () throws in
            var sent = 0
            while sent < total {
                let size = min(Int.random(in: 1...Pattern.longest), total - sent)
                try client.writeAll(pattern.bytes(at: sent, count: size))
                sent += size
            }
            client.finishWriting()
        }
        var received = 0
        while let bytes = try client.readSome(200_000) {
            guard bytes == pattern.bytes(at: received, count: bytes.count) else {
                Issue.record("the bytes from \(received) on are others")
                break
            }
            received += bytes.count
        }
        try writer.join()
        try echo.join()
        #expect(received == total)
    }

    @Test("A blocked reader doesn't keep a writer from writing")
    func independence() throws {
        let (client, server) = try connect()
        let reader = Background { try client.readSome(until: .ample) }
        pause(.milliseconds(20))
        for value in 0..<50 {
            try client.writeAll([UInt8(value)])
            #expect(try server.readSome(1) == [UInt8(value)])
        }
        try server.writeAll([9])
        #expect(try reader.join() == [9])
    }

    @Test("TLS runs within TLS")
    func nested() throws {
        let (outerClient, outerServer) = try connect()
        let server = try TLSServer(
            certificateFile: certificates.server.certificate,
            keyFile: certificates.server.key
        )
        let accepting = Background {
            try server.accept(over: outerServer, until: .ample)
        }
        let client = try TLSStream.connect(
            over: outerClient,
            to: TLSPeer(name: "localhost", endpoint: "nested"),
            options: certificates.trusting,
            until: .ample
        )
        let inner = try accepting.join()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 17) }
        let reader = Background { try inner.readExactly(bytes.count) }
        try client.writeAll(bytes)
        #expect(try reader.join() == bytes)
        inner.finishWriting()
        #expect(try client.readSome() == nil)
    }

    @Test(
        "An end in one segment with the last bytes is found without reading the socket",
        arguments: [true, false]
    )
    func endBehindBytes(isClean: Bool) throws {
        let (near, far) = try makeStreamPair()
        let options = certificates.trusting
        let connecting = Background {
            try TLSStream.connect(
                over: near,
                to: TLSPeer(name: "localhost", endpoint: "segment"),
                options: options,
                until: .ample
            )
        }
        let server = TLSMemoryPeer(over: far, certificates)
        SSL_set_num_tickets(server.ssl, 0)
        try server.accept()
        let client = try connecting.join()
        server.write([1, 2])
        if isClean { SSL_shutdown(server.ssl) }
        // A record made without the keys.
        let forged: [UInt8] = [23, 3, 3, 0, 20] + [UInt8](repeating: 1, count: 20)
        try far.writeAll(server.takeOutput() + (isClean ? [] : forged))

        try client.wait(for: .read, until: .ample)
        var buffer = [UInt8](repeating: 0, count: 1024)
        let transfer = try buffer.withUnsafeMutableBytes { try client.read(into: $0) }
        #expect(transfer == .bytes(2))
        #expect(client.hasBufferedInput)
        #expect(client.mayHaveMore(afterReading: 2, of: buffer.count))
        try client.wait(for: .read, until: .after(.zero))
        if isClean {
            #expect(try client.readSome() == nil)
        } else {
            #expect(throws: TransportError.self) { try client.readSome() }
        }
    }

    @Test("A writer learns of its progress as the socket takes the ciphertext")
    func progress() throws {
        let (near, far) = try makeStreamPair()
        let lower = CountingStream(near, longestWrite: 10_000)
        let server = try TLSServer(
            certificateFile: certificates.server.certificate,
            keyFile: certificates.server.key
        )
        let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let reader = Background {
            let stream = try server.accept(over: far, until: .ample)
            return try stream.readExactly(bytes.count)
        }
        let client = try TLSStream.connect(
            over: lower,
            to: TLSPeer(name: "localhost", endpoint: "progress"),
            options: certificates.trusting,
            until: .ample
        )
        var sent = 0
        while sent < bytes.count {
            switch try bytes[sent...].withUnsafeBytes({ try client.write($0) }) {
            case .bytes(let count):
                #expect(count <= 10_000)
                sent += count
            case .wouldBlock(let interest):
                try client.wait(for: interest, until: .ample)
            case .endOfStream: throw SupportError("end of stream")
            }
        }
        #expect(try reader.join() == bytes)
    }

    @Test("The end follows everything written, even if the socket was full")
    func endBehindFullSocket() throws {
        let (client, server) = try connect()
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        var sent = 0
        var transfer = Transfer.bytes(0)
        while case .bytes = transfer {
            transfer = try bytes.withUnsafeBytes { try client.write($0) }
            if case .bytes(let count) = transfer { sent += count }
        }
        client.finishWriting()
        // A later read sends the rest.
        let reader = Background { try client.readSome() }
        var received = 0
        while let bytes = try server.readSome(200_000) { received += bytes.count }
        #expect(received >= sent)
        try server.writeAll([1])
        #expect(try reader.join() == [1])
    }

    @Test("OpenSSL's error queue is left empty")
    func errorQueue() throws {
        ERR_clear_error()
        #expect(throws: TransportError.self) {
            try TLSPair(certificates.expired).connect(certificates.trusting)
        }
        #expect(ERR_peek_error() == 0)
        let (client, server) = try connect()
        #expect(ERR_peek_error() == 0)
        try server.writeAll([1])
        let garbage = [UInt8](repeating: 0x41, count: 64)
        #expect(send(server.descriptor, garbage, garbage.count, 0) == garbage.count)
        #expect(try client.readSome() == [1])
        #expect(throws: TransportError.self) { try client.readSome() }
        client.finishWriting()
        #expect(ERR_peek_error() == 0)
    }
}

/// A long stream of bytes in which a missing or misplaced piece shows.
private struct Pattern: Sendable {
    static let longest = 300_000
    private static let period = 251 * 256
    private let block = (0..<Self.period + Self.longest).map {
        UInt8(truncatingIfNeeded: $0 % Self.period / 251)
    }

    func bytes(at offset: Int, count: Int) -> [UInt8] {
        let start = offset % Pattern.period
        return Array(block[start..<start + count])
    }
}
