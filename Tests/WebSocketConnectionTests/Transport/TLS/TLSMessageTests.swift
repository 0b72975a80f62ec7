import CWebSocketOpenSSL
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("TLS messages after the handshake", .blocking)
struct TLSMessageTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    private func connect(
        _ options: TLSOptions? = nil
    ) throws -> (client: TLSStream, server: TLSMemoryPeer) {
        let (near, far) = try makeStreamPair()
        let options = options ?? certificates.trusting
        let connecting = Background {
            try TLSStream.connect(
                over: near,
                to: TLSPeer(name: "localhost", endpoint: "memory"),
                options: options,
                until: .ample
            )
        }
        let server = TLSMemoryPeer(over: far, certificates)
        try server.accept()
        return (try connecting.join(), server)
    }

    @Test("A key update that asks for another is answered before the next bytes")
    func keyUpdate() throws {
        let (client, server) = try connect()
        for round in 0..<20 {
            SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED)
            server.write([UInt8(round)])
            try server.deliver()
            #expect(try client.readSome() == [UInt8(round)])
            try client.writeAll([UInt8(round), 1])
            #expect(try server.read() == [UInt8(round), 1])
            // Two records: a message of 5 bytes, its type and a tag of 16; and the two bytes.
            #expect(server.lastInput.count == (5 + 22) + (5 + 19))
        }
    }

    @Test("A ticket in two halves delays a writer only until it has arrived")
    func splitTicket() throws {
        // Longer than a record may be here, so it takes several.
        let (near, far) = try makeStreamPair()
        let options = certificates.trusting
        let connecting = Background {
            try TLSStream.connect(
                over: near,
                to: TLSPeer(name: "localhost", endpoint: "split"),
                options: options,
                until: .ample
            )
        }
        let server = TLSMemoryPeer(over: far, certificates)
        SSL_set_num_tickets(server.ssl, 0)
        try server.accept()
        let client = try connecting.join()
        SSL_ctrl(server.ssl, SSL_CTRL_SET_MAX_SEND_FRAGMENT, 512, nil)
        let data = [UInt8](repeating: 5, count: 2000)
        SSL_SESSION_set1_ticket_appdata(SSL_get_session(server.ssl), data, data.count)
        #expect(SSL_new_session_ticket(server.ssl) == 1)
        server.write([7])
        let output = server.takeOutput()
        let firstRecord = 5 + Int(output[3]) << 8 + Int(output[4])
        try #require(output.count > 2 * firstRecord)
        try far.writeAll(Array(output[..<firstRecord]))
        var buffer = [UInt8](repeating: 0, count: 1024)
        try client.wait(for: .read, until: .ample)
        let transfer = try buffer.withUnsafeMutableBytes { try client.read(into: $0) }
        #expect(transfer == .wouldBlock(.read))

        let bytes: [UInt8] = [1, 2, 3]
        #expect(try bytes.withUnsafeBytes { try client.write($0) } == .wouldBlock(.write))
        #expect(throws: TransportError.timedOut(nil)) {
            try client.writeAll(bytes, until: .after(.milliseconds(30)))
        }
        let writer = Background { try client.writeAll(bytes, until: .ample) }
        pause(.milliseconds(20))
        try far.writeAll(Array(output[firstRecord...]))
        try writer.join()
        #expect(try server.read() == bytes)
        #expect(try client.readSome() == [7])
    }

    @Test("A server can ask for the client's certificate after the handshake")
    func certificateAfterHandshake() throws {
        var options = certificates.trusting
        options.clientCertificate = .init(
            certificateFile: certificates.client.certificate,
            keyFile: certificates.client.key
        )
        let (client, server) = try connect(options)
        try server.askForCertificate(of: certificates.authority)
        server.write([1])
        try server.deliver()
        #expect(try client.readSome() == [1])
        try client.writeAll([2])
        #expect(try server.read() == [2])
        #expect(server.hasVerifiedClient)
    }

    @Test("Without a certificate, the client's hello says that it can't be asked for one later")
    func certificateThatIsNotThere() throws {
        let (client, server) = try connect()
        #expect(throws: SupportError.self) {
            try server.askForCertificate(of: certificates.authority)
        }
        server.write([1])
        try server.deliver()
        #expect(try client.readSome() == [1])
        #expect(!server.hasVerifiedClient)
    }

    @Test("Renegotiation is refused, and earlier data still arrives")
    func renegotiation() throws {
        var options = certificates.trusting
        options.maximumVersion = .tls12
        let (client, server) = try connect(options)
        SSL_renegotiate(server.ssl)
        SSL_do_handshake(server.ssl)
        try server.deliver()
        var buffer = [UInt8](repeating: 0, count: 16)
        try client.wait(for: .read, until: .ample)
        let transfer = try buffer.withUnsafeMutableBytes { try client.read(into: $0) }
        #expect(transfer == .wouldBlock(.read))
        let error = #expect(throws: SupportError.self) { try server.read() }
        #expect(error?.description.contains("no renegotiation") == true)
    }
}
