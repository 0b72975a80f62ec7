package import HTTPTypes
package import WebSocketClient
package import WebSocketProtocol

/// One client of the loopback server, used by one thread.
package final class ServerConnection {
    package enum Failure: Error { case endOfStream, refused(String) }

    /// What the request line asked for.
    package let target: String
    package let headers: HTTPFields

    package let stream: any ByteStream
    private var frames: FrameDecoder
    private var window = ByteWindow()
    private let storage = Storage()
    private var outgoing: [UInt8] = []
    private var assembler: MessageAssembler
    private var deflater: Deflater?
    private var life = ConnectionLife(role: .server)
    /// Whether the client agreed to permessage-deflate.
    package let isCompressing: Bool

    private static let outgoingLimit = 256 << 10

    /// Performs the server's side of the opening handshake (RFC 6455 §4.2).
    package init(
        accepting stream: any ByteStream,
        compression: DeflateOptions?,
        refusal: LoopbackServer.Refusal? = nil
    ) throws {
        self.stream = stream
        window.lend(storage.bytes)
        var limits = Limits()
        limits.maximumFrameBytes = .max
        limits.maximumMessageBytes = .max
        limits.maximumFragments = .max
        var decoder = HTTPHeadDecoder<RequestLine>()
        while decoder.head == nil {
            try Self.fill(&window, from: stream)
            window.consume(try decoder.receive(UnsafeRawBufferPointer(window.bytes)))
        }
        guard let head = decoder.head else { throw Failure.endOfStream }
        let handshake: ReceivedHandshake
        do throws(HandshakeRejection) {
            handshake = try ReceivedHandshake(head)
        } catch {
            try stream.writeAll(error.response.encode(), until: .never)
            throw Failure.endOfStream
        }
        if let response = refusal?(handshake.target, handshake.fields) {
            try stream.writeAll(response.encode(), until: .never)
            throw Failure.endOfStream
        }
        target = handshake.target
        headers = handshake.fields
        let answer = compression?.offers.first?.accept(handshake.extensions)
        deflater = answer?.parameters.deflater(for: .server, options: compression ?? .init())
        assembler = MessageAssembler(
            validatesUTF8: false,
            inflater: answer?.parameters.inflater(
                for: .server,
                options: compression ?? .init(),
                limits: limits
            )
        )
        isCompressing = answer != nil
        frames = FrameDecoder(role: .server, limits: limits, allowsCompression: isCompressing)
        let response = handshake.acceptance(
            subprotocol: handshake.subprotocols.first,
            deflate: answer
        )
        try write(response.encode())
    }

    // MARK: Receiving

    /// The next piece of a frame, unmasked, valid until the next call.
    package func nextPiece() throws -> FramePiece {
        while true {
            let piece = try reportingViolations { () throws(ProtocolViolation) in
                try frames.next(&window)
            }
            if let piece { return piece }
            try flush()
            window.compact()
            try Self.fill(&window, from: stream)
        }
    }

    /// The next message, inflated; pings and close frames are answered.
    package func receive() throws -> (opcode: Opcode, payload: [UInt8]) {
        while true {
            let piece = try nextPiece()
            if piece.opcode.isControl {
                try answer(piece)
                continue
            }
            let isComplete = try reportingViolations { () throws(ProtocolViolation) in
                try assembler.append(piece)
            }
            if isComplete { return (assembler.messageOpcode, assembler.takeBytes()) }
        }
    }

    /// Answers a control frame as ``ConnectionLife`` says, and throws once that ends the connection.
    package func answer(_ piece: FramePiece) throws {
        let payload = UnsafeRawBufferPointer(piece.bytes)
        switch piece.opcode {
        case .ping: try report(.ping, payload)
        case .close: try report(.close(payload))
        default: try report(.pong)
        }
    }

    private func report(
        _ event: ConnectionLife.Event,
        _ payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws {
        switch life.handle(event) {
        case .nothing: break
        case .pong: try send(.pong, payload)
        case .close(let payload):
            try payload.encoded.withUnsafeBytes { try send(.close, $0) }
            try flush()
        }
        if life.awaited == .nothing { throw Failure.endOfStream }
    }

    /// Tells the client which rule it broke, and throws the violation.
    private func reportingViolations<Result>(
        _ body: () throws(ProtocolViolation) -> Result
    ) throws -> Result {
        do throws(ProtocolViolation) {
            return try body()
        } catch {
            // If the client can't be reached any more, the violation is still the error thrown.
            try? report(.violation(error))
            throw error
        }
    }

    private static func fill(_ window: inout ByteWindow, from stream: any ByteStream) throws {
        let count = try stream.readSome(into: window.room, until: .never)
        guard count > 0 else { throw Failure.endOfStream }
        window.append(count)
    }

    // MARK: Sending

    /// Collects a frame; frames are sent when there are enough of them, or before the server waits.
    package func send(
        _ opcode: Opcode,
        _ payload: UnsafeRawBufferPointer,
        isFinal: Bool = true,
        isCompressed: Bool = false
    ) throws {
        if opcode == .close, let payload = try? ClosePayload(decoding: payload) {
            _ = life.handle(.closeSent(payload))
        }
        let header = FrameHeader(
            isFinal: isFinal,
            reservedBits: isCompressed ? 4 : 0,
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
            try stream.writeAll(payload, until: .never)
        } else {
            outgoing.append(contentsOf: payload)
        }
        if outgoing.count >= Self.outgoingLimit { try flush() }
    }

    /// Collects a message, compressed if compression was agreed and saves something.
    package func sendMessage(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) throws {
        if let threshold = deflater?.threshold, payload.count >= threshold,
            let compressed = try deflater?.compress(message: payload)
        {
            try compressed.withUnsafeBytes { try send(opcode, $0, isCompressed: true) }
        } else {
            try send(opcode, payload)
        }
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
        try stream.writeAll(outgoing, until: .never)
        outgoing.removeAll(keepingCapacity: true)
    }

    /// Sends bytes as they are, right or wrong.
    package func write(_ bytes: [UInt8]) throws {
        try stream.writeAll(bytes, until: .never)
    }
}

/// Memory to receive into; an object of its own, so that it is freed when a handshake fails too.
private final class Storage {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)

    deinit {
        bytes.deallocate()
    }
}
