import TestSupport
import WebSocketClient

/// One call that sends, and the expected echo.
enum SendStep: Sendable {
    case message(Message, MessageCompression = .automatic)
    case span(Message)
    case batch([Message], MessageCompression = .automatic)
    case fragments([[UInt8]], Opcode)
    /// Fragments by hand, a ping between them.
    case frames([[UInt8]], Opcode)
    case prepared(Message, times: Int)

    var messages: [Message] {
        switch self {
        case .message(let message, _), .span(let message): [message]
        case .batch(let messages, _): messages
        case .fragments(let parts, let opcode), .frames(let parts, let opcode):
            [Message(opcode, parts.flatMap(\.self))]
        case .prepared(let message, let times): Array(repeating: message, count: times)
        }
    }

    func run(on socket: WebSocket) throws {
        switch self {
        case .message(let message, let compression):
            try socket.send(message, compression: compression)
        case .span(.text(let text)):
            try socket.send(text: Array(text.utf8).span.bytes)
        case .span(.binary(let bytes)):
            try socket.send(binary: bytes.span.bytes)
        case .batch(let messages, .automatic):
            try socket.sendBatch(messages)
        case .batch(let messages, let compression):
            try socket.withBatch { batch in
                for message in messages { try batch.send(message, compression: compression) }
            }
        case .fragments(let parts, let opcode):
            try socket.send(fragments: parts, as: opcode)
        case .frames(let parts, let opcode):
            for (index, part) in parts.enumerated() {
                try socket.send(
                    frame: Frame(
                        opcode: index == 0 ? opcode : .continuation,
                        payload: part,
                        isFinal: index == parts.count - 1
                    )
                )
                try socket.ping("between")
            }
        case .prepared(.text(let text), let times):
            let prepared = PreparedMessage(text)
            for _ in 0..<times { try socket.send(prepared) }
        case .prepared(.binary(let bytes), let times):
            let prepared = PreparedMessage(binary: bytes)
            for _ in 0..<times { try socket.send(prepared) }
        }
    }
}

/// Random messages, repetitive enough for a compressor's context to matter, and ways to send them.
struct RandomMessages {
    private var generator: SeededGenerator
    /// Content that later messages may repeat.
    private var recent: [Message] = []

    private static let words = [
        "price", "\"symbol\":", "über", "{", "}", "0.001", " ", " ", "数据", "🙂", "the", "e", ",",
        "\u{0}", "message", "ñandú", "2024-05-17T10:31:07Z", "\n",
    ]

    init(seed: UInt64) {
        generator = SeededGenerator(state: seed)
    }

    /// Steps that send at least `messages` messages.
    mutating func steps(messages: Int) -> [SendStep] {
        var steps: [SendStep] = []
        var count = 0
        while count < messages {
            let step = step()
            steps.append(step)
            count += step.messages.count
        }
        return steps
    }

    private mutating func step() -> SendStep {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4: return .message(message(), compression())
        case 4: return .span(message())
        case 5..<7:
            let count = Int.random(in: 1...40, using: &generator)
            return .batch((0..<count).map { _ in message() }, compression())
        case 7:
            let message = message()
            return .fragments(cut(message.bytes), message.opcode)
        case 8:
            let message = message()
            return .frames(cut(message.bytes), message.opcode)
        default:
            return .prepared(message(), times: Int.random(in: 1...5, using: &generator))
        }
    }

    private mutating func compression() -> MessageCompression {
        MessageCompression.allCases.randomElement(using: &generator) ?? .automatic
    }

    private mutating func message() -> Message {
        let isLarge = Int.random(in: 0..<300, using: &generator) == 0
        let bound = isLarge ? 150_000 : 1 << Int.random(in: 0...11, using: &generator)
        let count = Int.random(in: 0...bound, using: &generator)
        let message: Message
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: message = .binary(generator.noise(count))
        case 1: message = .binary(generator.message(count))
        case 2: message = recent.randomElement(using: &generator) ?? .text("")
        default: message = .text(text(count))
        }
        if recent.count < 20 {
            recent.append(message)
        } else {
            recent[Int.random(in: 0..<20, using: &generator)] = message
        }
        return message
    }

    private mutating func text(_ count: Int) -> String {
        var text = ""
        while text.utf8.count < count {
            text += Self.words.randomElement(using: &generator) ?? ""
        }
        return text
    }

    private mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var rest = bytes[...]
        repeat {
            let count = Int.random(in: 0...max(1, rest.count), using: &generator)
            parts.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        } while !rest.isEmpty
        return parts
    }
}

extension Message {
    init(_ opcode: Opcode, _ bytes: [UInt8]) {
        self = opcode == .text ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes)
    }

    var opcode: Opcode {
        switch self {
        case .text: .text
        case .binary: .binary
        }
    }

    var bytes: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .binary(let bytes): bytes
        }
    }
}

extension WebSocket {
    /// The next message, received in a way chosen by the number.
    func receive(way: Int) throws -> Message {
        switch way % 4 {
        case 0:
            return try receive()
        case 1:
            let (opcode, payload) = try receiveData()
            return Message(opcode, payload)
        case 2:
            var message: Message?
            try forEachMessage { opcode, span in
                message = Message(opcode, span.withUnsafeBytes(Array.init))
                return false
            }
            guard let message else { throw SupportError("no message was lent") }
            return message
        default:
            var bytes: [UInt8] = []
            var room = [UInt8](repeating: 0, count: 1 + way % 5000)
            while true {
                var span = room.mutableSpan
                var memory = span.mutableBytes
                let part = try receive(into: &memory)
                bytes += room[..<part.count]
                if part.isLast { return Message(part.opcode, bytes) }
            }
        }
    }
}
