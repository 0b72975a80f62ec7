import TestSupport
import WebSocketProtocol

@testable import WebSocketClient

/// One way to send, one way to receive, and the sizes of the messages that go out and come back.
struct Exchange: Sendable, CustomStringConvertible {
    enum Sending: CaseIterable {
        case text, binary, textSpan, binarySpan, message, frame, opcode, prepared
        case fragments, batch, messages, batchBody, consuming, file, fileInMessages, ping, pong
    }

    enum Receiving: CaseIterable {
        case receive, receiveData, receiveDataFrame, receiveFrame, next, forEachMessage, parts
        case smallParts, fragments, subclass, fragmentsOfSubclass
    }

    var sending = Sending.binary
    var receiving = Receiving.receive
    var isCompressed = false
    /// Whether the async calls are used.
    var isAwaited = false
    var sizes = [3, 130]

    var description: String {
        "\(sending) and \(receiving) \(sizes)\(isCompressed ? " compressed" : "")"
            + (isAwaited ? " awaited" : "")
    }

    /// Each way to send and each way to receive once, combined with the plain way.
    static func all(_ sizes: [Int], isCompressed: Bool) -> [Exchange] {
        Sending.allCases.map {
            Exchange(sending: $0, isCompressed: isCompressed, sizes: sizes)
        }
            + Receiving.allCases.dropFirst().map {
                Exchange(receiving: $0, isCompressed: isCompressed, sizes: sizes)
            }
    }

    var options: ConnectOptions {
        var options = ConnectOptions(timeout: .ample)
        options.proxy = .none
        options.cookieJar = nil
        options.deliversFragments = receiving == .fragments || receiving == .fragmentsOfSubclass
        if isCompressed { options.compression = Self.compression }
        return options
    }

    /// With a small connection's memory, as thousands are made.
    static let compression = {
        var options = DeflateOptions()
        options.memoryLevel = 1
        options.offers[0].clientMaxWindowBits = 9
        options.offers[0].serverMaxWindowBits = 9
        options.threshold = 20
        return options
    }()

    var kind: WebSocket.Type {
        switch receiving {
        case .subclass, .fragmentsOfSubclass: Bystander.self
        default: WebSocket.self
        }
    }

    /// ASCII, so that it can be sent as text, and different bytes in each message.
    func payload(_ index: Int) -> [UInt8] {
        let start = index * 31 % Self.period
        return Array(Self.pattern[start..<start + sizes[index]])
    }

    /// A prime period, so that swapped blocks show.
    private static let period = 89
    private static let pattern = {
        var pattern = (0..<period).map { UInt8(33 + $0) }
        while pattern.count < 1 << 19 { pattern += pattern }
        return pattern
    }()

    // MARK: Sending

    /// Whether an error inside a message ends the connection.
    var abortsInside: Bool { sending == .fragments || sending == .file }

    /// The messages of one call, as they should arrive at the peer.
    func entries(_ index: Int) -> [EchoPeer.Entry] {
        let payload = payload(index)
        switch sending {
        case .text, .textSpan, .batchBody: return [.init(opcode: .text, bytes: payload)]
        case .ping: return [.init(opcode: .ping, bytes: payload)]
        case .messages: return halves(payload).map { .init(opcode: .binary, bytes: $0) }
        case .pong: return [.init(opcode: .pong, bytes: payload)]
        case .fileInMessages:
            let size = max(4, payload.count / 2)
            return stride(from: 0, to: payload.count, by: size).map {
                .init(
                    opcode: .binary,
                    bytes: Array(payload[$0..<min($0 + size, payload.count)])
                )
            }
        default: return [.init(opcode: .binary, bytes: payload)]
        }
    }

    /// Makes one call that sends, and returns how many entries will arrive, and why not all of them.
    func send(_ index: Int, over socket: WebSocket) -> (accepted: Int, WebSocketError?) {
        let entries = entries(index)
        switch failure({ try send(payload(index), index, over: socket) }) {
        case nil: return (entries.count, nil)
        case .batchInterrupted(let sent, let cause): return (sent, cause)
        case .some(let error): return (error.isAccepted == true ? 1 : 0, error)
        }
    }

    private func send(_ payload: [UInt8], _ index: Int, over socket: WebSocket) throws {
        if isAwaited { return try sendAwaited(payload, halves(payload), over: socket) }
        let text = String(decoding: payload, as: UTF8.self)
        switch sending {
        case .text: try socket.send(text)
        case .binary: try socket.send(binary: payload)
        case .ping: try socket.ping(payload)
        case .pong: try socket.pong(payload)
        case .textSpan: try socket.send(text: payload.span.bytes)
        case .binarySpan: try socket.send(binary: payload.span.bytes)
        case .message: try socket.send(Message.binary(payload))
        case .frame: try socket.send(frame: Frame(binary: payload))
        case .opcode: try socket.send(payload, opcode: .binary)
        case .prepared: try socket.send(PreparedMessage(binary: payload))
        case .fragments:
            let third = payload.count / 3
            try socket.send(fragments: [
                Array(payload[..<third]), Array(payload[third..<2 * third]),
                Array(payload[(2 * third)...]),
            ])
        case .batch: try socket.sendBatch(binary: [payload])
        case .messages: try socket.sendBatch(binary: halves(payload))
        case .consuming: try socket.send(consuming: payload)
        case .batchBody:
            try socket.withBatch { batch in
                try batch.send(text)
                try batch.flush()
            }
        case .file: try socket.send(contentsOf: try file(index))
        case .fileInMessages:
            try socket.send(
                contentsOf: try file(index),
                framing: .messages(bytes: max(4, payload.count / 2))
            )
        }
    }

    private func halves(_ payload: [UInt8]) -> [[UInt8]] {
        [Array(payload[..<(payload.count / 2)]), Array(payload[(payload.count / 2)...])]
    }

    private func file(_ index: Int) throws -> String {
        try PayloadFiles.shared.path(of: payload(index))
    }
}

/// The received message that is under way.
struct Reception {
    private var partial: [UInt8] = []
    private var parts = 0

    /// Receives one message, as bytes; after a time-out, the next call goes on.
    mutating func next(
        _ way: Exchange.Receiving,
        isAwaited: Bool,
        from socket: WebSocket
    ) throws -> [UInt8] {
        guard !isAwaited else {
            while true {
                let (bytes, isLast) = try Self.nextAwaited(way, from: socket)
                partial += bytes
                if isLast { return take() }
            }
        }
        switch way {
        case .receive, .subclass: return try socket.receive().bytes
        case .receiveData: return try socket.receiveData().payload
        case .next: return try socket.next()?.bytes ?? []
        case .forEachMessage:
            var message: [UInt8] = []
            try socket.forEachMessage { _, bytes in
                message = bytes.withUnsafeBytes { Array($0) }
                return false
            }
            return message
        case .receiveDataFrame:
            while true {
                let frame = try socket.receiveDataFrame(controlFrames: true)
                if !frame.opcode.isControl { return frame.payload }
            }
        case .receiveFrame, .fragments, .fragmentsOfSubclass:
            while true {
                let frame =
                    way == .receiveFrame ? try socket.receiveFrame() : try socket.receiveDataFrame()
                guard !frame.opcode.isControl else { continue }
                partial += frame.payload
                if frame.isFinal { return take() }
            }
        case .parts, .smallParts:
            while true {
                parts += 1
                let size = way == .parts ? 50_000 : [1, 7, 64][parts % 3]
                var buffer = [UInt8](repeating: 0, count: size)
                var span = buffer.mutableSpan
                var bytes = span.mutableBytes
                let part = try socket.receive(into: &bytes)
                partial += buffer[..<part.count]
                if part.isLast { return take() }
            }
        }
    }

    private mutating func take() -> [UInt8] {
        defer { partial = [] }
        return partial
    }
}
