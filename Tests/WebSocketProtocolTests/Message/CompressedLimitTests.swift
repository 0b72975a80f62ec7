import TestSupport
import Testing
import WebSocketProtocol

@Suite("Limits of compressed messages")
struct CompressedLimitTests {
    /// Sends a message in compressed fragments of this size to a decoder with this limit, and returns
    /// the message and the size of its storage.
    private func receive(
        _ message: [UInt8],
        fragments: Int = .max,
        limit: Int,
        level: Int = 6
    ) throws -> [UInt8] {
        var deflater = DeflaterTests.deflater { $0.level = level }
        var limits = Limits()
        limits.maximumMessageBytes = limit
        var decoder = MessageDecoder(
            role: .client,
            limits: limits,
            inflater: Inflater(maximum: limit)
        )
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        defer { window.deallocate() }
        decoder.window.lend(window)
        var rest = message[...]
        var opcode = Opcode.binary
        while true {
            let piece = Array(rest.prefix(fragments))
            rest = rest.dropFirst(piece.count)
            let payload = try deflater.compress(
                piece,
                ending: rest.isEmpty ? .message : .fragment,
                room: 1 << 20
            )
            let frame = WireFrame(opcode, payload, isFinal: rest.isEmpty).with {
                $0.reservedBits = opcode == .binary ? 4 : 0
            }
            var bytes = frame.bytes[...]
            while !bytes.isEmpty {
                decoder.window.compact()
                let part = bytes.prefix(decoder.window.room.count)
                decoder.window.room.copyBytes(from: part)
                decoder.window.append(part.count)
                bytes = bytes.dropFirst(part.count)
                if case .assembledMessage = try decoder.next() {
                    return decoder.assembler.takeBytes()
                }
            }
            opcode = .continuation
        }
    }

    private func noise(_ count: Int) -> [UInt8] {
        var random = SeededGenerator(state: 4)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test(
        "A message within the limit passes even if it is larger on the wire",
        arguments: [.max, 100, 10, 1]
    )
    func noiseOfLimit(fragments: Int) throws {
        let message = noise(1000)
        #expect(try receive(message, fragments: fragments, limit: 1000) == message)
        #expect(try receive(message, fragments: fragments, limit: 1000, level: 0) == message)
        #expect(throws: ProtocolViolation(.messageTooBig(maximum: 999))) {
            try receive(message, fragments: fragments, limit: 999)
        }
    }

    @Test(
        "A frame larger than any message within the limit on the wire is refused before it has arrived"
    )
    func announced() {
        var limits = Limits()
        limits.maximumMessageBytes = 1000
        let frame = WireFrame(.binary, [0]).with {
            $0.reservedBits = 4
            $0.announcedLength = 1200
        }
        var frames = FrameDecoder(role: .client, limits: limits, allowsCompression: true)
        let failure = #expect(throws: ProtocolViolation.self) {
            var bytes = frame.bytes
            try bytes.withUnsafeMutableBytes {
                var window = ByteWindow()
                window.lend($0)
                window.append($0.count)
                _ = try frames.next(&window)
            }
        }
        #expect(failure == ProtocolViolation(.messageTooBig(maximum: 1000)))
    }

    @Test("No more than the limit is allocated", arguments: [0.3, 0.6, 0.8, 1])
    func storage(share: Double) throws {
        let limit = 3 << 20
        let message = [UInt8](repeating: 0, count: Int(Double(limit) * share))
        let received = try receive(message, limit: limit)
        #expect(received.count == message.count)
        // The system's allocator rounds up to pages.
        #expect(received.capacity <= limit + 65536)
    }
}
