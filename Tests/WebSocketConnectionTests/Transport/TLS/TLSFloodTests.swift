import CWebSocketOpenSSL
import Synchronization
import TestSupport
import Testing

@testable import WebSocketClient

/// Peers that keep sending records without data, as fast as they can.
@Suite("TLS records without data", .blocking)
struct TLSFloodTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    /// A client connected to a server whose messages the test writes.
    private func connect() throws -> (
        client: TLSStream, server: TLSMemoryPeer, lower: CountingStream
    ) {
        let (near, far) = try makeStreamPair()
        let lower = CountingStream(near)
        let options = certificates.trusting
        let connecting = Background {
            try TLSStream.connect(
                over: lower,
                to: TLSPeer(name: "localhost", endpoint: "flood"),
                options: options,
                until: .ample
            )
        }
        let server = TLSMemoryPeer(over: far, certificates)
        SSL_set_num_tickets(server.ssl, 0)
        try server.accept()
        return (try connecting.join(), server, lower)
    }

    private func sendTickets(_ count: Int, _ server: TLSMemoryPeer) throws {
        for _ in 0..<count { try #require(SSL_new_session_ticket(server.ssl) == 1) }
        SSL_do_handshake(server.ssl)
        try server.deliver()
    }

    private func sendKeyUpdates(_ count: Int, _ server: TLSMemoryPeer) throws {
        for _ in 0..<count {
            try #require(SSL_key_update(server.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
            SSL_do_handshake(server.ssl)
        }
        try server.deliver()
    }

    private func readOnce(_ stream: any ByteStream) throws -> Transfer {
        var buffer = [UInt8](repeating: 0, count: 1024)
        return try buffer.withUnsafeMutableBytes { try stream.read(into: $0) }
    }

    enum Flood: CaseIterable, CustomTestStringConvertible {
        case helloRequests, emptyRecords, cipherChanges, warnings

        var record: [UInt8] {
            switch self {
            case .helloRequests: [22, 3, 3, 0, 4, 0, 0, 0, 0]
            case .emptyRecords: [22, 3, 3, 0, 0]
            case .cipherChanges: [20, 3, 3, 0, 1, 1]
            case .warnings: [21, 3, 3, 0, 2, 1, 90]
            }
        }

        var testDescription: String { "\(self)" }
    }

    @Test(
        "A server can't hold up the handshake with records before its hello",
        arguments: Flood.allCases
    )
    func handshake(flood: Flood) throws {
        let (near, far) = try makeStreamPair()
        let flooding = Background {
            let records = Array(repeatElement(flood.record, count: 5000).joined())
            _ = try far.readSome()
            while true { try far.writeAll(records, until: .never) }
        }
        let error = #expect(throws: TransportError.self) {
            try TLSStream.connect(
                over: near,
                to: TLSPeer(name: "localhost", endpoint: "flood"),
                options: certificates.trusting,
                until: .after(.seconds(1))
            )
        }
        switch error {
        case .tls(let failure): #expect(failure.kind == .handshake)
        case .timedOut(.tlsHandshake): break
        default: Issue.record("got \(String(describing: error))")
        }
        near.abort()
        #expect(throws: TransportError.self) { () throws in try flooding.join() }
    }

    @Test("The handshake looks at the clock after each read")
    func handshakeSteps() throws {
        let stream = DrippingStream()
        #expect(throws: TransportError.timedOut(.tlsHandshake)) {
            try TLSStream.connect(
                over: stream,
                to: TLSPeer(name: "localhost", endpoint: "drip"),
                options: certificates.trusting,
                until: .after(.zero)
            )
        }
        #expect(stream.reads.load(ordering: .relaxed) <= 1)
    }

    @Test("One read reads the socket once, whatever the records contain")
    func oneRead() throws {
        let (client, server, lower) = try connect()
        try sendTickets(2, server)
        try client.wait(for: .read, until: .ample)
        lower.reads.store(0, ordering: .relaxed)
        #expect(try readOnce(client) == .wouldBlock(.read))
        #expect(lower.reads.load(ordering: .relaxed) == 1)
    }

    @Test("Records without data don't extend a wait whose time is over, but data is delivered")
    func fruitlessWait() throws {
        let (client, server, _) = try connect()
        try sendTickets(2, server)
        try client.wait(for: .read, until: .ample)
        #expect(try readOnce(client) == .wouldBlock(.read))
        try sendTickets(2, server)
        #expect(throws: TransportError.timedOut(nil)) {
            try client.wait(for: .read, until: .after(.zero))
        }
        try client.wait(for: .read, until: .ample)
        server.write([7])
        try server.deliver()
        #expect(try client.readSome() == [7])
        server.write([8])
        try server.deliver()
        try client.wait(for: .read, until: .after(.zero))
        #expect(try client.readSome() == [8])
    }

    @Test("Endless tickets end the connection", arguments: [true, false])
    func tickets(atOnce: Bool) throws {
        let (client, server, _) = try connect()
        if atOnce {
            try sendTickets(TLSEngine.messageLimit + 1, server)
        } else {
            for _ in 0...TLSEngine.messageLimit { try sendTickets(1, server) }
        }
        try expectTooManyMessages(client)
    }

    @Test("Endless key updates end the connection")
    func keyUpdates() throws {
        let (client, server, _) = try connect()
        try sendKeyUpdates(TLSEngine.messageLimit + 1, server)
        try expectTooManyMessages(client)
    }

    private func expectTooManyMessages(_ client: TLSStream) throws {
        for _ in 0..<2 {
            let error = #expect(throws: TransportError.self) { try client.readSome() }
            guard case .tls(let failure) = error else {
                throw SupportError("got \(String(describing: error))")
            }
            #expect(failure.kind == .connection)
            #expect(failure.reason.contains("without data"))
        }
        #expect(throws: TransportError.self) { try client.writeAll([1]) }
    }

    @Test("The server may send any number of messages if data comes between them")
    func interleaved() throws {
        let (client, server, _) = try connect()
        for round in 0..<10 {
            try sendTickets(TLSEngine.messageLimit / 2, server)
            try sendKeyUpdates(TLSEngine.messageLimit / 2, server)
            server.write([UInt8(round)])
            try server.deliver()
            #expect(try client.readSome() == [UInt8(round)])
        }
    }
}

/// Always has one more byte of a record that never ends, and takes all that is written.
private final class DrippingStream: ByteStream {
    let reads = Atomic<Int>(0)

    var descriptor: Int32 { -1 }
    var isSecure: Bool { false }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        let index = reads.add(1, ordering: .relaxed).oldValue
        let header: [UInt8] = [22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0]
        buffer[0] = index < header.count ? header[index] : 0
        return .bytes(1)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        .bytes(bytes.count)
    }

    func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest { interest }

    func nudge() {}
    func finishWriting() {}
    func abort() {}
}
