import TestSupport
import Testing
import WebSocketProtocol

/// A stream and the expected events.
struct Recording: Sendable, CustomTestStringConvertible {
    var name: String
    var frames: [WireFrame]
    var expected: [RecordedEvent]
    var role = Role.client
    var limits = Limits()

    var testDescription: String { name }
}

@Suite("Messages out of frames, RFC 6455 §5.4")
struct MessageDecoderTests {
    private static let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    private static let long = (0..<700).map { UInt8($0 % 251) }

    static let valid: [Recording] = [
        Recording(
            name: "the examples of RFC 6455 §5.7",
            frames: [
                WireFrame(.text, text: "Hello"),
                WireFrame(.text, text: "Hel", isFinal: false), WireFrame(.continuation, text: "lo"),
                WireFrame(.ping, text: "Hello"),
                WireFrame(.binary, Array(repeating: 7, count: 256)),
            ],
            expected: [
                .text("Hello"), .text("Hello"), .control(.ping, Array("Hello".utf8)),
                .message(.binary, Array(repeating: 7, count: 256)),
            ]
        ),
        Recording(
            name: "the masked example of RFC 6455 §5.7",
            frames: [WireFrame(.text, Array("Hello".utf8), maskedWith: key)],
            expected: [.text("Hello")],
            role: .server
        ),
        Recording(
            name: "masked fragments with other keys",
            frames: [
                WireFrame(.binary, Array(long[..<333]), isFinal: false, maskedWith: key),
                WireFrame(.ping, [1], maskedWith: [9, 8, 7, 6]),
                WireFrame(.continuation, Array(long[333...]), maskedWith: [0, 0xFF, 1, 2]),
                WireFrame(.close, [3, 0xE8], maskedWith: key),
            ],
            expected: [
                .control(.ping, [1]), .message(.binary, long), .control(.close, [3, 0xE8]),
            ],
            role: .server
        ),
        Recording(
            name: "control frames between fragments, messages after them",
            frames: [
                WireFrame(.text, text: "a€", isFinal: false), WireFrame(.ping),
                WireFrame(.pong, [1]),
                WireFrame(.continuation, [], isFinal: false), WireFrame(.ping, long.dropLast(575)),
                WireFrame(.continuation, text: "👋"), WireFrame(.binary, [9]), WireFrame(.text, []),
            ],
            expected: [
                .control(.ping, []), .control(.pong, [1]), .control(.ping, long.dropLast(575)),
                .text("a€👋"), .message(.binary, [9]), .text(""),
            ]
        ),
        Recording(
            name: "empty fragments",
            frames: [
                WireFrame(.text, [], isFinal: false), WireFrame(.continuation, [], isFinal: false),
                WireFrame(.continuation, []), WireFrame(.binary, [], isFinal: false),
                WireFrame(.continuation, [5]),
            ],
            expected: [.text(""), .message(.binary, [5])]
        ),
        Recording(
            name: "every form of the length",
            frames: [0, 125, 126, 0xFFFF >> 6, 700].map {
                WireFrame(.binary, Array(long.prefix($0)))
            },
            expected: [0, 125, 126, 0xFFFF >> 6, 700].map {
                .message(.binary, Array(long.prefix($0)))
            }
        ),
        Recording(
            name: "characters split between fragments, byte by byte",
            frames: Array("€👋é".utf8).enumerated().map { index, byte in
                WireFrame(index == 0 ? .text : .continuation, [byte], isFinal: index == 8)
            },
            expected: [.text("€👋é")]
        ),
    ]

    private static func recording(
        _ name: String,
        _ frames: [WireFrame],
        before: [RecordedEvent] = [],
        _ rule: ProtocolViolation.Rule,
        role: Role = .client,
        _ limits: (inout Limits) -> Void = { _ in }
    ) -> Recording {
        var recording = Recording(name: name, frames: frames, expected: before + [.violation(rule)])
        recording.role = role
        limits(&recording.limits)
        return recording
    }

    static let invalid: [Recording] = [
        recording(
            "RSV1 without compression",
            [WireFrame(.text, text: "a").with { $0.reservedBits = 4 }],
            .reservedBits
        ),
        recording("RSV2", [WireFrame(.binary).with { $0.reservedBits = 2 }], .reservedBits),
        recording("RSV3", [WireFrame(.binary).with { $0.reservedBits = 1 }], .reservedBits),
        recording("RSV1 on a ping", [WireFrame(.ping).with { $0.reservedBits = 4 }], .reservedBits),
        recording(
            "RSV1 on a continuation",
            [
                WireFrame(.binary, [1], isFinal: false),
                WireFrame(.continuation).with { $0.reservedBits = 4 },
            ],
            .reservedBits
        ),
        recording("a reserved data opcode", [WireFrame(rawOpcode: 3)], .reservedOpcode(3)),
        recording(
            "a reserved control opcode after a message",
            [WireFrame(.text, text: "ok"), WireFrame(rawOpcode: 0xB)],
            before: [.text("ok")],
            .reservedOpcode(0xB)
        ),
        recording("a masked frame", [WireFrame(.text, maskedWith: key)], .maskedFrame),
        recording(
            "an unmasked frame",
            [WireFrame(.text, text: "a")],
            .unmaskedFrame,
            role: .server
        ),
        recording(
            "a length in too many bytes",
            [WireFrame(.binary, [1]).with { $0.lengthForm = .sixteenBits }],
            .lengthNotMinimal
        ),
        recording(
            "a length with the top bit",
            [WireFrame(.binary).with { $0.announcedLength = 1 << 63 }],
            .lengthTopBit
        ),
        recording(
            "a long ping",
            [WireFrame(.ping, Array(repeating: 0, count: 126))],
            .controlFrameTooLong
        ),
        recording(
            "a fragmented close",
            [WireFrame(.close, isFinal: false)],
            .fragmentedControlFrame
        ),
        recording("a continuation of nothing", [WireFrame(.continuation)], .unexpectedContinuation),
        recording(
            "a continuation after a final frame",
            [
                WireFrame(.text, text: "a", isFinal: false), WireFrame(.continuation, text: "b"),
                WireFrame(.continuation, text: "c"),
            ],
            before: [.text("ab")],
            .unexpectedContinuation
        ),
        recording(
            "a message inside a message",
            [
                WireFrame(.text, text: "a", isFinal: false), WireFrame(.ping),
                WireFrame(.binary, [1]),
            ],
            before: [.control(.ping, [])],
            .expectedContinuation
        ),
        recording(
            "a frame of 2^62 bytes",
            [WireFrame(.binary).with { $0.announcedLength = 1 << 62 }],
            .frameTooBig(maximum: 64 << 20)
        ),
        recording(
            "a frame one byte too big",
            [WireFrame(.binary, Array(repeating: 1, count: 101))],
            .frameTooBig(maximum: 100),
            { $0.maximumFrameBytes = 100 }
        ),
        recording(
            "a message one byte too big",
            [
                WireFrame(.binary, Array(repeating: 1, count: 100)),
                WireFrame(.binary, Array(repeating: 1, count: 60), isFinal: false),
                WireFrame(.continuation, Array(repeating: 1, count: 41)),
            ],
            before: [.message(.binary, Array(repeating: 1, count: 100))],
            .messageTooBig(maximum: 100),
            { $0.maximumMessageBytes = 100 }
        ),
        recording(
            "lengths whose sum overflows",
            [
                WireFrame(.binary, [1, 2], isFinal: false),
                WireFrame(.continuation).with { $0.announcedLength = UInt64(Int.max) },
            ],
            .messageTooBig(maximum: .max),
            {
                $0.maximumFrameBytes = .max
                $0.maximumMessageBytes = .max
            }
        ),
        recording(
            "a fragment too many",
            [
                WireFrame(.binary, isFinal: false), WireFrame(.continuation, isFinal: false),
                WireFrame(.continuation, isFinal: false), WireFrame(.continuation),
            ],
            .tooManyFragments(maximum: 3),
            { $0.maximumFragments = 3 }
        ),
        recording(
            "text that is not UTF-8",
            [WireFrame(.text, [0x61, 0xC3, 0x28])],
            .invalidUTF8(offset: 2)
        ),
        recording(
            "text that ends inside a character",
            [WireFrame(.text, [0x61], isFinal: false), WireFrame(.continuation, [0xE2, 0x82])],
            .invalidUTF8(offset: 3)
        ),
        recording(
            "a surrogate split between fragments",
            [WireFrame(.text, [0xED], isFinal: false), WireFrame(.continuation, [0xA0, 0x80])],
            .invalidUTF8(offset: 1)
        ),
    ]

    private func events(
        _ recording: Recording,
        pieces: [ArraySlice<UInt8>],
        readsDirectly: Bool = false
    ) -> [RecordedEvent] {
        TestSupport.events(
            of: pieces,
            role: recording.role,
            limits: recording.limits,
            readsDirectly: readsDirectly
        )
    }

    @Test(
        "A stream has the same events whole, byte by byte and at every split",
        arguments: valid + invalid
    )
    func splits(recording: Recording) {
        let bytes = recording.frames.bytes
        for readsDirectly in [false, true] {
            let single = bytes.indices.map { bytes[$0...$0] }
            #expect(
                events(recording, pieces: [bytes[...]], readsDirectly: readsDirectly)
                    == recording.expected
            )
            #expect(
                events(recording, pieces: single, readsDirectly: readsDirectly)
                    == recording.expected
            )
            for split in bytes.indices {
                let pieces = [bytes[..<split], bytes[split...]]
                let made = events(recording, pieces: pieces, readsDirectly: readsDirectly)
                #expect(made == recording.expected, "split at \(split)")
            }
        }
    }

    @Test("A violation is answered with the right code", arguments: invalid)
    func closeCodes(recording: Recording) throws {
        guard case .violation(let rule) = recording.expected.last else {
            Issue.record("not a violation")
            return
        }
        let expected: CloseCode =
            switch rule {
            case .invalidUTF8: .invalidPayload
            case .frameTooBig, .messageTooBig, .tooManyFragments: .messageTooBig
            default: .protocolError
            }
        #expect(ProtocolViolation(rule).closeCode == expected)
        #expect(ProtocolViolation(rule).description.hasSuffix("."))
    }

    @Test("Exactly as much as the limits allow is accepted")
    func limits() {
        var limits = Limits()
        limits.maximumFrameBytes = 60
        limits.maximumMessageBytes = 100
        limits.maximumFragments = 3
        let stream: [WireFrame] = [
            WireFrame(.binary, Array(repeating: 1, count: 60), isFinal: false),
            WireFrame(.continuation, isFinal: false),
            WireFrame(.continuation, Array(repeating: 1, count: 40)),
        ]
        // The counts begin anew with each message.
        let expected = RecordedEvent.message(.binary, Array(repeating: 1, count: 100))
        let made = TestSupport.events(of: (stream + stream).bytes, limits: limits)
        #expect(made == [expected, expected])
    }

    @Test("An announced length allocates nothing", arguments: [1 << 62, UInt64(Int.max)])
    func announcedLength(length: UInt64) {
        var limits = Limits()
        limits.maximumFrameBytes = .max
        limits.maximumMessageBytes = .max
        let frame = WireFrame(.binary, [1, 2, 3]).with { $0.announcedLength = length }
        for readsDirectly in [false, true] {
            var recorder = EventRecorder(limits: limits, readsDirectly: readsDirectly)
            recorder.feed(frame.bytes)
            recorder.feed([4, 5, 6])
            // It waits for the rest, with storage only for the bytes that have come.
            #expect(recorder.events == [])
        }
    }

    @Test("A window much smaller than a message works")
    func smallWindow() {
        var recorder = EventRecorder(windowSize: FrameHeader.maximumLength + 125)
        let payload = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        recorder.feed(WireFrame(.binary, payload).bytes + WireFrame(.ping, [1]).bytes)
        #expect(recorder.events == [.message(.binary, payload), .control(.ping, [1])])
    }

    @Test(
        "Limits also apply to short messages",
        arguments: [Opcode.text, .binary]
    )
    func limitBelowShortMessages(opcode: Opcode) {
        var limits = Limits()
        limits.maximumMessageBytes = 3
        let stream = WireFrame(opcode, text: "abc").bytes + WireFrame(opcode, text: "abcd").bytes
        #expect(
            TestSupport.events(of: stream, limits: limits)
                == [
                    .message(opcode, Array("abc".utf8)),
                    .violation(.messageTooBig(maximum: 3)),
                ]
        )
    }

    @Test(
        "With a limit that fits a short header, messages up to the limit pass and longer ones don't",
        arguments: 99...127
    )
    func limitOfShortMessages(limit: Int) {
        var limits = Limits()
        for limitsFrames in [false, true] {
            limits.maximumMessageBytes = limitsFrames ? 1000 : limit
            limits.maximumFrameBytes = limitsFrames ? limit : 1000
            let exact = [UInt8](repeating: 1, count: limit)
            let stream = WireFrame(.binary, exact).bytes + WireFrame(.binary, exact + [1]).bytes
            let made = TestSupport.events(of: stream, limits: limits)
            let rule: ProtocolViolation.Rule =
                limitsFrames ? .frameTooBig(maximum: limit) : .messageTooBig(maximum: limit)
            #expect(made == [.message(.binary, exact), .violation(rule)])
        }
    }

    @Test(
        "A rule that a frame's first byte breaks is reported with that byte",
        arguments: [
            (0x83, false, .reservedOpcode(3)), (0x8F, false, .reservedOpcode(15)),
            (0xA2, false, .reservedBits), (0xC1, false, .reservedBits),
            (0xD9, false, .reservedBits),
            (0x09, false, .fragmentedControlFrame), (0x80, false, .unexpectedContinuation),
            (0x81, true, .expectedContinuation), (0xC0, true, .reservedBits),
        ] as [(UInt8, Bool, ProtocolViolation.Rule)]
    )
    func firstByte(byte: UInt8, isInsideMessage: Bool, rule: ProtocolViolation.Rule) {
        let before = isInsideMessage ? WireFrame(.binary, [1], isFinal: false).bytes : []
        #expect(TestSupport.events(of: before + [byte]) == [.violation(rule)])
    }

    @Test("Text is joined in borrowed storage, which is given back when the text has been taken")
    func lentStorage() throws {
        var lender: [UInt8] = []
        lender.reserveCapacity(100_000)
        let capacity = lender.capacity
        var decoder = MessageDecoder(role: .client, limits: Limits())
        decoder.assembler.borrowSpare(from: &lender)
        #expect(lender.capacity == 0)
        for _ in 0..<2 {
            for (opcode, isFinal) in [(Opcode.text, false), (.continuation, true)] {
                let payload = [UInt8](repeating: 97, count: 50_000)
                let frame = Frame(opcode: opcode, payload: payload, isFinal: isFinal)
                let isComplete = try decoder.join(frame)
                #expect(isComplete == isFinal)
            }
            let text = decoder.assembler.takeText()
            #expect(text == String(repeating: "a", count: 100_000))
            let hasSpare = decoder.assembler.hasSpare
            #expect(hasSpare)
        }
        decoder.assembler.returnSpare(to: &lender)
        #expect(lender.capacity == capacity)
        let hasSpare = decoder.assembler.hasSpare
        #expect(!hasSpare)
    }

    @Test("Binary messages are never returned in borrowed storage, which may be much larger")
    func lentStorageAndBytes() throws {
        var lender: [UInt8] = []
        lender.reserveCapacity(1 << 20)
        var decoder = MessageDecoder(role: .client, limits: Limits())
        decoder.assembler.borrowSpare(from: &lender)
        _ = try decoder.join(Frame(opcode: .binary, payload: [1, 2, 3]))
        let bytes = decoder.assembler.takeBytes()
        #expect(bytes == [1, 2, 3])
        #expect(bytes.capacity < 1 << 10)
        let hasSpare = decoder.assembler.hasSpare
        #expect(hasSpare)
    }
}
