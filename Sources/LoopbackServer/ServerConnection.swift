package import WebSocketClient
package import WebSocketProtocol

/// One client of the loopback server, used by one thread.
package final class ServerConnection {
    package enum Failure: Error { case endOfStream, refused(String) }

    /// What the request line asked for.
    package let target: String
    package let fields: HTTPFields

    package let stream: any ByteStream
    private var frames: FrameDecoder
    private var window = ByteWindow()
    private let storage: UnsafeMutableRawBufferPointer
    private var outgoing: [UInt8] = []

    private static let storageSize = 256 << 10
    private static let outgoingLimit = 256 << 10

    /// Performs the server's side of the opening handshake (RFC 6455 §4.2).
    init(accepting stream: any ByteStream) throws {
        self.stream = stream
        storage = .allocate(byteCount: Self.storageSize, alignment: 64)
        window.lend(storage)
        var limits = Limits()
        limits.maximumFrameBytes = .max
        limits.maximumMessageBytes = .max
        limits.maximumFragments = .max
        frames = FrameDecoder(role: .server, limits: limits, allowsCompression: false)

        var head = HTTPHeadDecoder<RequestLine>()
        while head.head == nil {
            try Self.fill(&window, from: stream)
            window.consume(try head.receive(UnsafeRawBufferPointer(window.bytes)))
        }
        guard let head = head.head, let key = head.fields["Sec-WebSocket-Key"] else {
            throw Failure.refused("no Sec-WebSocket-Key")
        }
        target = head.startLine.target
        fields = head.fields
        var response = """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(AcceptKey.expected(for: key, digest: SHA1.digest))\r

            """
        let offered = head.fields.joinedValue(of: "Sec-WebSocket-Protocol")?.split(separator: ",")
        if let chosen = offered?.first {
            response += "Sec-WebSocket-Protocol: \(chosen)\r\n"
        }
        try write(Array((response + "\r\n").utf8))
    }

    deinit {
        storage.deallocate()
    }

    // MARK: Receiving

    /// The next piece of a frame, unmasked, valid until the next call.
    package func nextPiece() throws -> FramePiece {
        while true {
            if let piece = try frames.next(&window) { return piece }
            try flush()
            window.compact()
            try Self.fill(&window, from: stream)
        }
    }

    /// The next message; pings and close frames are answered.
    package func receive() throws -> (opcode: Opcode, payload: [UInt8]) {
        var opcode = Opcode.binary
        var payload: [UInt8] = []
        while true {
            let piece = try nextPiece()
            if piece.opcode.isControl {
                try answer(piece)
                continue
            }
            if piece.startsFrame, piece.opcode != .continuation { opcode = piece.opcode }
            payload.append(contentsOf: piece.bytes)
            if piece.endsFrame, piece.isFinal { return (opcode, payload) }
        }
    }

    /// Answers a control frame; a close frame ends the connection.
    package func answer(_ piece: FramePiece) throws {
        switch piece.opcode {
        case .ping:
            try send(.pong, UnsafeRawBufferPointer(piece.bytes))
        case .close:
            try send(.close, UnsafeRawBufferPointer(piece.bytes))
            try flush()
            throw Failure.endOfStream
        default:
            break
        }
    }

    private static func fill(_ window: inout ByteWindow, from stream: any ByteStream) throws {
        while true {
            switch try stream.read(into: window.room) {
            case .bytes(let count):
                window.append(count)
                return
            case .wouldBlock(let interest): try stream.wait(for: interest, until: .never)
            case .endOfStream: throw Failure.endOfStream
            }
        }
    }

    // MARK: Sending

    /// Collects a frame; it is sent when enough have come together or the server waits.
    package func send(
        _ opcode: Opcode,
        _ payload: UnsafeRawBufferPointer,
        isFinal: Bool = true
    ) throws {
        let header = FrameHeader(
            isFinal: isFinal,
            opcode: opcode,
            maskingKey: nil,
            payloadLength: payload.count
        )
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.maximumLength, alignment: 8) { bytes in
            guard let base = bytes.baseAddress else { return }
            outgoing.append(contentsOf: bytes[..<header.encode(into: base)])
        }
        if payload.count > Self.outgoingLimit {
            try flush()
            try write(payload)
        } else {
            outgoing.append(contentsOf: payload)
        }
        if outgoing.count >= Self.outgoingLimit { try flush() }
    }

    package func send(text: String) throws {
        var text = text
        try text.withUTF8 { try send(.text, UnsafeRawBufferPointer($0)) }
    }

    package func send(binary: [UInt8]) throws {
        try binary.withUnsafeBytes { try send(.binary, $0) }
    }

    /// Sends what has been collected.
    package func flush() throws {
        guard !outgoing.isEmpty else { return }
        try outgoing.withUnsafeBytes { try write($0) }
        outgoing.removeAll(keepingCapacity: true)
    }

    /// Sends bytes as they are, right or wrong.
    package func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var position = 0
        while position < bytes.count {
            switch try stream.write(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
            case .bytes(let count): position += count
            case .wouldBlock(let interest): try stream.wait(for: interest, until: .never)
            case .endOfStream: throw Failure.endOfStream
            }
        }
    }
}
