import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// A WebSocket server in memory that returns each message, in two fragments with a ping between them,
/// and records everything it gets.
final class EchoPeer: MemoryPeer {
    /// A message or control frame.
    struct Entry: Hashable {
        var opcode: Opcode
        var bytes: [UInt8]
    }

    /// The client's messages and control frames, without its answers to this peer's pings.
    private(set) var received: [Entry] = []
    /// The message being sent: the payloads of its frames, and the uncompressed contents.
    private(set) var echoed: [(payload: [UInt8], message: Entry)] = []
    /// How many of this peer's pings were answered.
    private(set) var answeredPings = 0
    /// The rule that the client broke, or the fault of its handshake.
    private(set) var fault: String?
    private(set) var hasEnded = false
    /// Whether the handshake has been answered.
    private(set) var isOpen = false

    static let ping = Array("peer".utf8)

    private var head = HTTPHeadDecoder<RequestLine>()
    private let compression: DeflateOptions?
    private var frames = FrameDecoder(role: .server, limits: .none, allowsCompression: true)
    private var assembler = MessageAssembler(validatesUTF8: true, inflater: nil)
    private var deflater: Deflater?
    private var window = ByteWindow()
    private let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
    private var output: [UInt8] = []

    init(compression: DeflateOptions? = nil) {
        self.compression = compression
        window.lend(storage)
    }

    deinit { storage.deallocate() }

    func receive(_ bytes: [UInt8]) -> [UInt8] {
        var rest = bytes[...]
        while !rest.isEmpty, fault == nil, !hasEnded {
            window.compact()
            let part = rest.prefix(window.room.count)
            window.room.copyBytes(from: part)
            window.append(part.count)
            rest = rest.dropFirst(part.count)
            do {
                if !isOpen { try shakeHands() }
                if isOpen { try takeFrames() }
            } catch {
                fault = "\(error)"
            }
        }
        defer { output = [] }
        return output
    }

    private func shakeHands() throws {
        window.consume(try head.receive(UnsafeRawBufferPointer(window.bytes)))
        guard let head = head.head else { return }
        let handshake = try ReceivedHandshake(head)
        let answer = compression?.offers.first?.accept(handshake.extensions)
        let options = compression ?? DeflateOptions()
        deflater = answer?.parameters.deflater(for: .server, options: options)
        assembler = MessageAssembler(
            validatesUTF8: true,
            inflater: answer?.parameters.inflater(for: .server, options: options, limits: .none)
        )
        frames = FrameDecoder(role: .server, limits: .none, allowsCompression: answer != nil)
        output += handshake.acceptance(deflate: answer).encode()
        isOpen = true
    }

    private func takeFrames() throws {
        while !hasEnded, let piece = try frames.next(&window) {
            let bytes = Array(piece.bytes)
            guard piece.opcode.isControl else {
                guard try assembler.append(piece) else { continue }
                try echo(Entry(opcode: assembler.messageOpcode, bytes: assembler.takeBytes()))
                continue
            }
            if piece.opcode == .pong, bytes == Self.ping {
                answeredPings += 1
                continue
            }
            received.append(Entry(opcode: piece.opcode, bytes: bytes))
            if piece.opcode == .ping { output += WireFrame(.pong, bytes).bytes }
            if piece.opcode == .close {
                output += WireFrame(.close, bytes).bytes
                hasEnded = true
            }
        }
    }

    private func echo(_ message: Entry) throws {
        received.append(message)
        var payload = message.bytes
        let threshold = deflater?.threshold ?? .max
        let isCompressed = payload.count >= threshold
        if isCompressed {
            payload = try message.bytes.withUnsafeBytes {
                try deflater?.compress(message: $0) ?? message.bytes
            }
        }
        echoed.append((payload, message))
        let half = payload.count / 2
        let first = WireFrame(message.opcode, Array(payload[..<half]), isFinal: false)
        output +=
            [
                first.with { $0.reservedBits = isCompressed ? 4 : 0 },
                WireFrame(.ping, Self.ping),
                WireFrame(.continuation, Array(payload[half...])),
            ].bytes
    }
}

extension Limits {
    static var none: Limits {
        var limits = Limits()
        limits.maximumFrameBytes = .max
        limits.maximumMessageBytes = .max
        return limits
    }
}
