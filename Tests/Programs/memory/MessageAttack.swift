import LoopbackServer
import TestSupport
import WebSocketClient
import WebSocketProtocol

/// What a hostile server sends in place of an answer or of messages.
enum MessageAttack: String, CaseIterable, Attack {
    case announcesHugeFrame, announcesAllowedFrame, endlessFragments, tinyFragments, inflationBomb
    case pingFlood, silentClose, floodedClose, slowAnswer, endlessHeaders, endlessInterimAnswers
    case endlessRefusal, endlessRedirect

    var name: String { rawValue }

    var words: String {
        switch self {
        case .announcesHugeFrame: "announces a frame of 2^62 bytes"
        case .announcesAllowedFrame: "announces a frame of 64 MiB and sends one byte"
        case .endlessFragments: "sends fragments of 64 KiB without end"
        case .tinyFragments: "sends a million fragments of one byte"
        case .inflationBomb: "sends a gigabyte of zeros, compressed"
        case .pingFlood: "sends pings without end and reads no pong"
        case .silentClose: "doesn't answer a close frame"
        case .floodedClose: "answers a close frame with messages without end"
        case .slowAnswer: "answers the handshake a byte at a time"
        case .endlessHeaders: "sends header fields without end"
        case .endlessInterimAnswers: "answers with 100 Continue without end"
        case .endlessRefusal: "refuses with a body without end"
        case .endlessRedirect: "redirects with a body without end"
        }
    }

    var maximumGrowth: Int {
        switch self {
        // The message limit is 64 MiB, and a growing buffer is at most twice what it holds; a
        // quarter of that is left to the allocator.
        case .endlessFragments, .inflationBomb: 160 << 10
        default: 2 << 10
        }
    }

    // MARK: The client

    func warmUp(_ calm: CalmServers) throws { try calm.echo(isSecure: false, options: options) }

    private var options: ConnectOptions {
        var options = Self.calmOptions
        options.compression = DeflateOptions()
        return options
    }

    func outcome(port: UInt16, calm: CalmServers) -> String {
        result {
            let socket = try WebSocket.connect(to: "ws://127.0.0.1:\(port)/", options: options)
            defer { socket.abort() }
            if self == .silentClose || self == .floodedClose {
                return "close returned \(try socket.close().map { "\($0)" } ?? "nothing")"
            }
            return "received \(try socket.receive().bytes.count) bytes"
        }
    }

    func expects(_ result: String) -> Bool {
        switch self {
        case .announcesHugeFrame, .endlessFragments, .tinyFragments, .inflationBomb:
            result.hasPrefix("closed with 1009")
        case .announcesAllowedFrame, .pingFlood: result == "Time ran out during receiving."
        case .silentClose, .floodedClose: result == "close returned nothing"
        case .slowAnswer: result == "Time ran out during the WebSocket handshake."
        case .endlessHeaders: result == "The header is longer than 65536 bytes."
        case .endlessInterimAnswers: result.contains("interim")
        case .endlessRefusal: result == "status 404, 65536 bytes of its body"
        case .endlessRedirect: result.contains("redirects")
        }
    }

    // MARK: The server

    func serve(_ stream: any ByteStream) throws {
        switch self {
        case .slowAnswer:
            try stream.writeAll(Array("HTTP/1.1 101 Switching Protocols\r\n".utf8))
            while true {
                try stream.writeAll(Array("x".utf8))
                pause(.milliseconds(20))
            }
        case .endlessHeaders:
            try repeatText("X-Field: \(String(repeating: "y", count: 1000))\r\n", on: stream, 101)
        case .endlessInterimAnswers:
            try repeatText("\r\nHTTP/1.1 100 Continue\r\n", on: stream, 100)
        case .endlessRefusal: try repeatText("\r\nNot here.", on: stream, 404)
        case .endlessRedirect:
            try repeatText("Location: /here\r\n\r\nOver there.", on: stream, 302)
        default:
            let server = try ServerConnection(accepting: stream, compression: DeflateOptions())
            try attack(server)
            server.waitForEnd()
        }
    }

    private func repeatText(_ text: String, on stream: any ByteStream, _ status: Int) throws {
        try stream.writeAll(Array("HTTP/1.1 \(status) Answer\r\n".utf8))
        try flood(Array(text.utf8), on: stream)
    }

    /// Sends the same again and again until the client has gone.
    private func flood(_ bytes: [UInt8], on stream: any ByteStream) throws {
        let many = Array(repeatElement(bytes, count: max(1, 65536 / bytes.count)).joined())
        while true { try stream.writeAll(many, until: .after(.seconds(60))) }
    }

    private func attack(_ server: ServerConnection) throws {
        let piece = [UInt8](repeating: 7, count: 64 << 10)
        switch self {
        case .announcesHugeFrame:
            try server.write(WireFrame(.binary).with { $0.announcedLength = 1 << 62 })
        case .announcesAllowedFrame:
            try server.write(WireFrame(.binary, [1]).with { $0.announcedLength = 64 << 20 })
        case .endlessFragments:
            try server.write(WireFrame(.binary, piece, isFinal: false))
            try flood(WireFrame(.continuation, piece, isFinal: false).bytes, on: server.stream)
        case .tinyFragments:
            try server.write(WireFrame(.binary, [1], isFinal: false))
            let some = [WireFrame](
                repeating: WireFrame(.continuation, [1], isFinal: false),
                count: 1000
            ).bytes
            for _ in 0..<1000 { try server.write(some) }
        case .inflationBomb: try server.write(Self.bomb())
        case .pingFlood: try flood(WireFrame(.ping, Array(piece[..<125])).bytes, on: server.stream)
        case .floodedClose: try flood(WireFrame(.binary, piece).bytes, on: server.stream)
        default: break
        }
    }

    /// A megabyte of zeros a thousand times over, each compressed by itself and joined by the empty
    /// blocks that end them.
    private static func bomb() throws -> WireFrame {
        var deflater = Deflater(windowBits: 15, noContextTakeover: true, options: DeflateOptions())
        let megabyte = try [UInt8](repeating: 0, count: 1 << 20).withUnsafeBytes {
            try deflater.compress(message: $0)
        }
        let parts = repeatElement(megabyte, count: 1024).joined(separator: [0, 0, 0xFF, 0xFF])
        return WireFrame(.binary, Array(parts)).with { $0.reservedBits = 4 }
    }
}
