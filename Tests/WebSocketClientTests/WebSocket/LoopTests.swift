import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

/// For leak checks: makes everything that a connection allocates, again and again.
@Suite("Connect, transfer and end, in a loop", .alone)
struct LoopTests {
    enum Ending: CaseIterable { case close, abort, drop, cut }

    private static let rounds = 25

    private static func options(isCompressed: Bool, freesIdleStreams: Bool) throws -> ConnectOptions
    {
        var options = ConnectOptions(timeout: .ample)
        options.tls.certificateAuthorityFile = try Certificates.shared.get().authority.certificate
        if isCompressed {
            var deflate = DeflateOptions()
            deflate.freesIdleStreams = freesIdleStreams
            options.compression = deflate
        }
        return options
    }

    private static func server(isSecure: Bool, isCompressed: Bool) throws -> LoopbackServer {
        let identity = try Certificates.shared.get().server
        let tls = try TLSServer(certificateFile: identity.certificate, keyFile: identity.key)
        return try LoopbackServer(
            compression: isCompressed ? DeflateOptions() : nil,
            tls: isSecure ? tls : nil
        ) { connection in
            while true {
                let (opcode, payload) = try connection.receive()
                if payload == Array("cut".utf8) { return connection.stream.abort() }
                try payload.withUnsafeBytes { try connection.sendMessage(opcode, $0) }
            }
        }
    }

    @Test(
        "Nothing is leaked",
        arguments: [(false, false), (false, true), (true, false), (true, true)]
    )
    func loop(isSecure: Bool, isCompressed: Bool) throws {
        let server = try Self.server(isSecure: isSecure, isCompressed: isCompressed)
        defer { server.stop() }
        let endings = Ending.allCases
        // After one round, everything that is kept for good, such as a TLS context and a free buffer,
        // exists.
        try Self.round(.close, server, isCompressed)
        let before = Descriptors.open.count
        for round in 0..<Self.rounds {
            try Self.round(endings[round % endings.count], server, isCompressed)
        }
        // Something else may have been opened once; repeated leaks would still show.
        #expect(eventually { Descriptors.open.count < before + 5 })
    }

    private static func round(
        _ ending: Ending,
        _ server: LoopbackServer,
        _ isCompressed: Bool
    ) throws {
        let options = try options(
            isCompressed: isCompressed,
            freesIdleStreams: ending == .abort
        )
        let socket = try WebSocket.connect(to: server.url(), options: options)
        let text = String(repeating: "round and round ", count: 5_000)
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        try socket.send(text)
        try socket.send(binary: bytes)
        try socket.sendBatch(["a", "b"])
        try socket.ping()
        #expect(try socket.receive() == .text(text))
        #expect(try socket.receive() == .binary(bytes))
        #expect(try socket.receive() == .text("a"))
        switch ending {
        case .close: try socket.close()
        case .abort: socket.abort()
        case .drop: break
        case .cut:
            try socket.send("cut")
            #expect(throws: WebSocketError.self) { while true { _ = try socket.receive() } }
        }
    }
}
