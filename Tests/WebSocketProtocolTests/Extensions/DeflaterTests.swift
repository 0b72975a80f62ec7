import TestSupport
import Testing
import WebSocketProtocol

@Suite("Compressing messages, RFC 7692 §7.2.1")
struct DeflaterTests {
    static let hello = Array("Hello".utf8)

    static func deflater(
        windowBits: Int = 15,
        noContextTakeover: Bool = false,
        _ change: (inout DeflateOptions) -> Void = { _ in }
    ) -> Deflater {
        var options = DeflateOptions()
        change(&options)
        return Deflater(
            windowBits: windowBits,
            noContextTakeover: noContextTakeover,
            options: options
        )
    }

    @Test("The RFC's examples have the right results", arguments: [1, 2, 3, 5, 64])
    func examples(room: Int) throws {
        var deflater = Self.deflater()
        // §7.2.3.1, then §7.2.3.2 with the context of the first.
        #expect(
            try deflater.compress(Self.hello, room: room)
                == [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        )
        #expect(try deflater.compress(Self.hello, room: room) == [0xf2, 0x00, 0x11, 0x00, 0x00])
        // §7.2.3.6
        #expect(try deflater.compress([], room: room) == [0x00])
    }

    @Test(
        "Without context takeover, a message always compresses to the same bytes",
        arguments: [true, false]
    )
    func noContextTakeover(freesIdleStreams: Bool) throws {
        var deflater = Self.deflater(noContextTakeover: true) {
            $0.freesIdleStreams = freesIdleStreams
        }
        for _ in 0..<3 {
            #expect(
                try deflater.compress(Self.hello) == [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
            )
            #expect(try deflater.compress([]) == [0x00])
        }
    }

    @Test("A reset drops the context, and only between messages")
    func reset() throws {
        var deflater = Self.deflater()
        let first = try deflater.compress(Self.hello)
        deflater.resetContext()
        #expect(try deflater.compress(Self.hello) == first)
        #expect(try deflater.compress(Self.hello) != first)
    }

    @Test("Pieces and rooms of any size change nothing", arguments: -1...9)
    func pieces(level: Int) throws {
        var random = SeededGenerator(state: UInt64(level + 1))
        let messages = [0, 1, 300, 9000].map { random.message($0) } + [random.noise(3000)]
        var whole = Self.deflater { $0.level = level }
        let expected = try messages.map { try whole.compress($0, room: 100_000) }
        for (pieces, room) in [(Int.max, 1), (1, 4096), (7, 3), (1000, 17), (.max, 6), (4096, 5)] {
            var deflater = Self.deflater { $0.level = level }
            var inflater = Inflater()
            for (message, expected) in zip(messages, expected) {
                let payload = try deflater.compress(message, pieces: pieces, room: room)
                // Storing and the fast levels depend on the pieces: only the inflated result is the
                // same.
                if pieces == .max, level != 0 { #expect(payload == expected) }
                #expect(try inflater.inflate(payload) == message)
            }
        }
    }

    @Test(
        "Every window, memory level and strategy can be inflated",
        arguments: 8...15,
        DeflateOptions.Strategy.allCases
    )
    func parameters(windowBits: Int, strategy: DeflateOptions.Strategy) throws {
        var random = SeededGenerator(state: UInt64(windowBits))
        for memoryLevel in [1, 5, 9] {
            for level in [0, 1, 4, 9] {
                var deflater = Self.deflater(windowBits: windowBits) {
                    $0.level = level
                    $0.memoryLevel = memoryLevel
                    $0.strategy = strategy
                }
                var inflater = Inflater(windowBits: windowBits)
                for count in [1, 200, 2000] {
                    let message = random.message(count)
                    let payload = try deflater.compress(message, room: 77)
                    #expect(try inflater.inflate(payload, room: 33) == message)
                }
            }
        }
    }

    @Test(
        "A window of 8 bits isn't exceeded, although zlib's compressor starts at 9",
        arguments: 1...9
    )
    func smallestWindow(level: Int) throws {
        // Repetitions at every distance; with one byte of room the receiver depends on its window.
        var random = SeededGenerator(state: 8)
        var deflater = Self.deflater(windowBits: 8) { $0.level = level }
        var inflater = Inflater(windowBits: 8)
        for distance in stride(from: 205, to: 520, by: 11) {
            let block = random.noise(distance)
            let message = block + block + block
            let payload = try deflater.compress(message)
            #expect(try inflater.inflate(payload, room: 1) == message)
        }
    }

    @Test("After a fragment, the peer can inflate all of it", arguments: [1, 4, 4096])
    func fragments(room: Int) throws {
        var random = SeededGenerator(state: 3)
        var deflater = Self.deflater()
        var inflater = Inflater()
        for _ in 0..<20 {
            for count in [0, 1, 1000, 0, 0, 50] {
                let fragment = random.message(count)
                let payload = try deflater.compress(fragment, ending: .fragment, room: room)
                #expect(try inflater.inflate(payload, endsMessage: false) == fragment)
                #expect(count == 0 || payload.suffix(4) == [0, 0, 0xFF, 0xFF])
                #expect(count > 0 || payload.isEmpty)
            }
            // The end may or may not have bytes of its own.
            let end = random.message(.random(in: 0...1, using: &random) * 100)
            let payload = try deflater.compress(end, room: room)
            #expect(payload.suffix(4) != [0, 0, 0xFF, 0xFF])
            #expect(try inflater.inflate(payload) == end)
        }
    }

    @Test("No message exceeds the bound", arguments: 0...9)
    func bound(level: Int) throws {
        var random = SeededGenerator(state: UInt64(level))
        for memoryLevel in [1, 8] {
            for count in [0, 1, 2, 10, 127, 1000, 70_000] {
                var deflater = Self.deflater(windowBits: 9, noContextTakeover: true) {
                    $0.level = level
                    $0.memoryLevel = memoryLevel
                }
                let message = random.noise(count)
                let payload = try message.withUnsafeBytes { try deflater.compress(message: $0) }
                #expect(payload.count <= Deflater.maximumCompressedBytes(count))
                var inflater = Inflater(windowBits: 9)
                #expect(try inflater.inflate(payload) == message)
            }
        }
    }

    @Test("Short messages are worth compressing only with a context")
    func threshold() {
        #expect(Self.deflater().threshold == 128)
        #expect(Self.deflater(noContextTakeover: true).threshold == 512)
        #expect(Self.deflater { $0.threshold = 7 }.threshold == 7)
    }

    @Test("Settings that zlib refuses are an error")
    func refusal() {
        var deflater = Self.deflater { $0.level = 77 }
        #expect(throws: DeflateFailure.self) { try deflater.compress(Self.hello) }
    }
}
