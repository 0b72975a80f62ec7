import WebSocketProtocol

/// Frames: every way of receiving gets the same from a stream, in pieces of any size.
enum FrameFuzz {
    static func run(_ input: inout Input) throws(Finding) {
        let setup = FrameSetup(choices: input.byte())
        let roomSize = 1 + Int(input.byte() & 127)
        let sizes = input.pieceSizes()
        let bytes = input.rest

        let whole = try FrameReader.messages(of: bytes, .whole, setup)
        for event in whole { try check(event, setup) }
        let split = try FrameReader.messages(of: bytes, sizes, setup)
        try require(agree(whole, split, setup), "\(whole) at once, \(split) in pieces")
        let direct = try FrameReader.messages(of: bytes, sizes, setup, readsDirectly: true)
        try require(agree(whole, direct, setup), "\(whole) at once, \(direct) read directly")
        let parts = try FrameReader.parts(of: bytes, sizes, setup, roomSize: roomSize)
        try require(agree(whole, parts, setup), "\(whole) at once, \(parts) in parts")
        let frames = try FrameReader.frames(of: bytes, sizes, setup)
        try require(agree(whole, frames.events, setup, isLate: true), "\(whole), \(frames.events)")
        if setup.role == .client {
            try require(bytes.starts(with: frames.bytes), "frames are encoded otherwise")
        }
    }

    private static func check(_ event: FrameEvent, _ setup: FrameSetup) throws(Finding) {
        switch event {
        case .message(let opcode, let payload):
            try require(opcode == .text || opcode == .binary, "a message of control frames")
            try require(payload.count <= setup.limits.maximumMessageBytes, "more than the limit")
            if opcode == .text, setup.validatesUTF8 {
                let text = String(validating: payload, as: UTF8.self)
                try require(text != nil, "text that isn't")
            }
        case .control(let opcode, let payload):
            try require(opcode.isControl && payload.count <= 125, "not a control frame")
        case .violation(let violation):
            try requireEscaped(violation.description)
            try require(violation.closeCode.isValidOnWire, "an answer that can't be sent")
        }
    }

    /// Whether two ways have the same result; one that looks only at whole frames may find a violation
    /// later.
    private static func agree(
        _ first: [FrameEvent],
        _ second: [FrameEvent],
        _ setup: FrameSetup,
        isLate: Bool = false
    ) -> Bool {
        if first == second { return true }
        guard case .violation(let violation) = first.last else { return false }
        let before = first.dropLast()
        guard case .violation(let other) = second.last else {
            return isLate && before == second[...]
        }
        // Which fault of compressed data is found first depends on how much was inflated at once.
        return setup.inflates && before == second.dropLast()
            && violation.isAboutContents && other.isAboutContents
    }
}

/// The settings of a connection.
struct FrameSetup {
    var role: Role
    var inflates: Bool
    var noContextTakeover: Bool
    var validatesUTF8: Bool
    var limits = Limits()

    init(choices: UInt8) {
        role = choices & 1 == 0 ? .client : .server
        inflates = choices & 2 != 0
        validatesUTF8 = choices & 4 == 0
        noContextTakeover = choices & 8 != 0
        switch choices >> 4 & 3 {
        case 0:
            limits.maximumFrameBytes = .max
            limits.maximumMessageBytes = inflates ? 1 << 18 : .max
            limits.maximumFragments = .max
        case 1:
            limits.maximumFrameBytes = 100
            limits.maximumMessageBytes = 200
            limits.maximumFragments = 3
        default:
            limits.maximumMessageBytes = 1 << 18
        }
    }

    func decoder() -> MessageDecoder {
        guard inflates else {
            return MessageDecoder(role: role, limits: limits, validatesUTF8: validatesUTF8)
        }
        return MessageDecoder(
            role: role,
            limits: limits,
            validatesUTF8: validatesUTF8,
            inflater: Inflater(
                windowBits: 15,
                noContextTakeover: noContextTakeover,
                maximumMessageBytes: limits.maximumMessageBytes,
                maximumRatio: limits.maximumInflationRatio
            )
        )
    }
}

enum FrameEvent: Equatable {
    case message(Opcode, [UInt8])
    case control(Opcode, [UInt8])
    case violation(ProtocolViolation)
}

extension ProtocolViolation {
    /// Whether it is found by inflating and reading a payload, and not by its header.
    fileprivate var isAboutContents: Bool {
        switch rule {
        case .invalidUTF8, .corruptCompression, .messageTooBig, .inflationRatio: true
        default: false
        }
    }
}
