import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

@Suite("Compression on a connection, RFC 7692", .blocking)
struct CompressionTests {
    private static func options(_ offer: (inout DeflateOffer) -> Void = { _ in }) -> ConnectOptions
    {
        var options = ConnectOptions(timeout: .ample)
        var deflate = DeflateOptions()
        offer(&deflate.offers[0])
        options.compression = deflate
        return options
    }

    @Test(
        "Messages of all sizes come back equal, whatever was agreed",
        arguments: [
            options(), options { $0.clientNoContextTakeover = true },
            options { $0.serverNoContextTakeover = true }, options { $0.clientMaxWindowBits = 8 },
            options { $0.serverMaxWindowBits = 9 },
        ]
    )
    func echo(options: ConnectOptions) throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: options)
        var generator = SystemRandomNumberGenerator()
        for size in [0, 1, 127, 128, 129, 5000, 65536, 400_000] {
            let text = String(repeating: "abc é ", count: size / 7)
            try socket.send(text)
            #expect(try socket.receive() == .text(text))
            let noise = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try socket.send(binary: noise)
            #expect(try socket.receive() == .binary(noise))
        }
        try socket.close()
    }

    @Test(
        "A message that compresses to more than the outgoing buffer arrives unharmed, in fragments"
    )
    func fragments() throws {
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<900_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let server = try LoopbackServer(compression: DeflateOptions(), expected: noise)
        defer { server.stop() }
        let socket = try WebSocket.connect(
            to: server.url("/sink?count=2"),
            options: Self.options()
        )
        try socket.send(binary: noise)
        try socket.sendBatch(binary: [noise])
        let verdict = try socket.receiveText()
        #expect(verdict.hasPrefix("done 2 messages"), "\(verdict)")
        try socket.close()
    }

    @Test("Receiving frame by frame inflates with the same context as receiving messages")
    func mixedReceiving() throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: Self.options())
        let text = String(repeating: "the same words again and again; ", count: 30)
        for round in 0..<6 {
            try socket.send(text + "\(round)")
            if round % 2 == 0 {
                #expect(try socket.receive() == .text(text + "\(round)"))
            } else {
                #expect(try socket.receiveDataFrame().text == text + "\(round)")
            }
        }
        try socket.close()
    }

    enum Way: CaseIterable {
        case message, batch, prepared
        case subclass, subclassBatch, subclassPrepared
    }

    @Test(
        "Compression can be chosen for each message",
        arguments: Way.allCases,
        MessageCompression.allCases
    )
    func perMessage(way: Way, compression: MessageCompression) throws {
        let messages = [10, 1000].flatMap { count -> [Message] in
            let text = String(repeating: "x", count: count)
            return [.text(text), .binary(Array(text.utf8))]
        }
        let compressed = Promise<[Bool]>()
        let server = try LoopbackServer(compression: DeflateOptions()) { server in
            compressed.fulfil {
                try messages.map { _ in try server.nextPiece().reservedBits == 4 }
            }
            server.waitForEnd()
        }
        defer { server.stop() }
        let kind =
            switch way {
            case .message, .batch, .prepared: WebSocket.self
            case .subclass, .subclassBatch, .subclassPrepared: Bystander.self
            }
        let socket = try kind.connect(to: server.url(), options: Self.options())
        switch way {
        case .message, .subclass:
            for message in messages { try socket.send(message, compression: compression) }
        case .prepared, .subclassPrepared:
            for message in messages {
                let prepared =
                    switch message {
                    case .text(let text): PreparedMessage(text, compression: compression)
                    case .binary(let bytes):
                        PreparedMessage(binary: bytes, compression: compression)
                    }
                try socket.send(prepared)
            }
        case .batch, .subclassBatch:
            try socket.withBatch { batch in
                for message in messages { try batch.send(message, compression: compression) }
            }
        }
        let expected =
            switch compression {
            case .automatic: [false, false, true, true]
            case .always: [true, true, true, true]
            case .never: [false, false, false, false]
            }
        #expect(try compressed.value() == expected)
        socket.abort()
    }

    @Test(
        "A payload that the caller has compressed moves the server's window without harming later messages",
        arguments: [1, 300]
    )
    func compressedByHand(cut: Int) throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        let socket = try WebSocket.connect(to: server.url(), options: Self.options())
        let text = String(repeating: "the same words again and again; ", count: 30)
        try socket.send(text)
        #expect(try socket.receive() == .text(text))

        var generator = SystemRandomNumberGenerator()
        let noise = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var deflater = Deflater(
            windowBits: 15,
            noContextTakeover: true,
            options: DeflateOptions()
        )
        let payload = try noise.withUnsafeBytes { try deflater.compress(message: $0) }
        var first = Frame(opcode: .binary, payload: Array(payload[..<cut]), isFinal: false)
        first.rsv1 = true
        try socket.send(frame: first)
        try socket.send(frame: Frame(opcode: .continuation, payload: Array(payload[cut...])))
        #expect(try socket.receive() == .binary(noise))

        // It must not refer to the same text before the noise, which is too far back for the server.
        try socket.send(text)
        #expect(try socket.receive() == .text(text))
        try socket.close()
    }

    @Test("A bomb ends with 1009 within the message limit")
    func bomb() throws {
        let server = try LoopbackServer(compression: DeflateOptions())
        defer { server.stop() }
        var options = Self.options()
        options.limits.maximumMessageBytes = 1 << 20
        let socket = try WebSocket.connect(
            to: server.url("/source?count=1&size=8000000&type=text"),
            options: options
        )
        try socket.send("go")
        #expect {
            try socket.receive()
        } throws: { error in
            guard case .protocolViolation(let violation)? = error as? WebSocketError else {
                return false
            }
            return violation.closeCode == .messageTooBig
        }
    }
}
