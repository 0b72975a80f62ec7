import LoopbackServer
import TestSupport
import Testing
import WebSocketClient
import WebSocketProtocol

/// A server's violation, and the close code that answers it.
struct Misdeed: Sendable, CustomTestStringConvertible {
    var name: String
    var frames: [WireFrame]
    var rule: ProtocolViolation.Rule
    var code: CloseCode

    var testDescription: String { name }

    init(
        _ name: String,
        _ frames: [WireFrame],
        _ rule: ProtocolViolation.Rule,
        _ code: CloseCode = .protocolError
    ) {
        self.name = name
        self.frames = frames
        self.rule = rule
        self.code = code
    }
}

@Suite("A server that breaks a rule", .blocking)
struct ViolationTests {
    static let misdeeds = [
        Misdeed("a reserved opcode", [WireFrame(rawOpcode: 5)], .reservedOpcode(5)),
        Misdeed(
            "a reserved bit",
            [WireFrame(.text, text: "a").with { $0.reservedBits = 2 }],
            .reservedBits
        ),
        Misdeed("a masked frame", [WireFrame(.text, maskedWith: [1, 2, 3, 4])], .maskedFrame),
        Misdeed(
            "a length in too many bytes",
            [WireFrame(.binary, [1]).with { $0.lengthForm = .sixtyFourBits }],
            .lengthNotMinimal
        ),
        Misdeed(
            "a length with the top bit",
            [WireFrame(.binary).with { $0.announcedLength = .max }],
            .lengthTopBit
        ),
        Misdeed(
            "a long ping",
            [WireFrame(.ping, Array(repeating: 0, count: 126))],
            .controlFrameTooLong
        ),
        Misdeed(
            "a fragmented ping",
            [WireFrame(.ping, isFinal: false)],
            .fragmentedControlFrame
        ),
        Misdeed("a continuation of nothing", [WireFrame(.continuation)], .unexpectedContinuation),
        Misdeed(
            "a message inside a message",
            [WireFrame(.text, isFinal: false), WireFrame(.text)],
            .expectedContinuation
        ),
        Misdeed(
            "a frame of 2^62 bytes",
            [WireFrame(.binary).with { $0.announcedLength = 1 << 62 }],
            .frameTooBig(maximum: 1 << 20),
            .messageTooBig
        ),
        Misdeed(
            "a message over the limit",
            [
                WireFrame(.binary, Array(repeating: 1, count: 1 << 20), isFinal: false),
                WireFrame(.continuation, Array(repeating: 1, count: 1 << 20)),
            ],
            .messageTooBig(maximum: 3 << 19),
            .messageTooBig
        ),
        Misdeed(
            "too many fragments",
            [WireFrame(.binary, isFinal: false)]
                + Array(repeating: WireFrame(.continuation, isFinal: false), count: 100),
            .tooManyFragments(maximum: 100),
            .messageTooBig
        ),
    ]

    static let malformedCloses: [Misdeed] = [
        Misdeed("half a close code", [WireFrame(.close, [3])], .closePayloadOfOneByte),
        Misdeed(
            "a close code that may not be sent",
            [WireFrame(.close, [3, 0xED])],
            .closeCode(.noStatusReceived)
        ),
    ]

    private static var options: ConnectOptions {
        var options = ConnectOptions()
        options.limits.maximumFrameBytes = 1 << 20
        options.limits.maximumMessageBytes = 3 << 19
        options.limits.maximumFragments = 100
        return options
    }

    enum Way: CaseIterable {
        case receive, receiveData, receiveFrame, forEachMessage, parts, subclass

        /// Frame by frame, text isn't checked, and closing is up to the caller.
        static let checking = allCases.filter { $0 != .receiveFrame }
    }

    private func receive(_ socket: WebSocket, _ way: Way) throws {
        switch way {
        case .receive, .subclass: while true { _ = try socket.receive() }
        case .receiveData: while true { _ = try socket.receiveData(controlFrames: true) }
        case .receiveFrame: while true { _ = try socket.receiveFrame() }
        case .forEachMessage: try socket.forEachMessage { _, _ in true }
        case .parts:
            var buffer = [UInt8](repeating: 0, count: 1000)
            while true {
                _ = try buffer.withUnsafeMutableBytes { bytes in
                    var span = MutableRawSpan(_unsafeBytes: bytes)
                    return try socket.receive(into: &span)
                }
            }
        }
    }

    /// The client's error, and the close frame that the server got.
    private func commit(
        _ frames: [WireFrame],
        _ way: Way
    ) throws -> (error: WebSocketError?, answer: [UInt8]) {
        let answer = Promise<[UInt8]>()
        let server = try LoopbackServer { server in
            try server.write(WireFrame(.text, text: "first"))
            try server.write(frames.bytes)
            answer.fulfil { try server.receiveClose() }
        }
        defer { server.stop() }
        let kind = way == .subclass ? Bystander.self : WebSocket.self
        let socket = try kind.connect(to: server.url(), options: Self.options)
        let error = failure { try receive(socket, way) }
        #expect(
            answer.isFulfilled,
            "the server gets the close frame before the caller gets the error"
        )
        #expect(!socket.isConnected)
        #expect(socket.fileDescriptor == nil)
        let again = failure { try socket.send("more") }
        #expect(again?.description == error?.description)
        return (error, try answer.value())
    }

    @Test(
        "gets a close frame with the reason, and the caller an error",
        arguments: misdeeds,
        Way.allCases
    )
    func violation(misdeed: Misdeed, way: Way) throws {
        let (error, answer) = try commit(misdeed.frames, way)
        #expect(answer == ClosePayload(code: misdeed.code).encoded)
        guard case .protocolViolation(let violation) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(violation.rule == misdeed.rule)
        #expect(violation.closeCode == misdeed.code)
    }

    @Test(
        "gets a close frame even if the rule is about closing",
        arguments: malformedCloses,
        Way.checking
    )
    func close(misdeed: Misdeed, way: Way) throws {
        let (error, answer) = try commit(misdeed.frames, way)
        #expect(answer == ClosePayload(code: misdeed.code).encoded)
        guard case .protocolViolation(let violation) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(violation.rule == misdeed.rule)
    }

    @Test(
        "by sending text that isn't UTF-8 gets 1007 at the first byte that can't be right",
        arguments: Way.checking
    )
    func text(way: Way) throws {
        for isWhole in way == .subclass ? [true] : [true, false] {
            let text: [UInt8] = Array(repeating: 0x61, count: 500) + [0xC3, 0x28]
            // Bytes that never come aren't waited for.
            let frame = WireFrame(.text, text).with { if !isWhole { $0.announcedLength = 100_000 } }
            let (error, answer) = try commit([frame], way)
            #expect(answer == ClosePayload(code: .invalidPayload).encoded)
            guard case .invalidPayload(let offset) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(offset == 501)
        }
    }

    @Test(
        "by sending short text that isn't UTF-8 together with another message gets 1007",
        arguments: Way.checking
    )
    func shortText(way: Way) throws {
        let frames = [WireFrame(.text, text: "second"), WireFrame(.text, [0x61, 0xFF])]
        let (error, answer) = try commit(frames, way)
        #expect(answer == ClosePayload(code: .invalidPayload).encoded)
        guard case .invalidPayload(let offset) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(offset == 1)
    }
}
