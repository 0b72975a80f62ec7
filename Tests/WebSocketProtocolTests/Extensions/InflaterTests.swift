import TestSupport
import Testing
import WebSocketProtocol

@Suite("Inflating messages, RFC 7692 §7.2.2")
struct InflaterTests {
    static let hello = Array("Hello".utf8)

    @Test(
        "The RFC's examples are inflated in any pieces and rooms",
        arguments: [1, 2, 100],
        [1, 3, 100]
    )
    func examples(pieces: Int, room: Int) throws {
        var inflater = Inflater()
        for payload: [UInt8] in [
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],  // §7.2.3.1: one block
            [0xf2, 0x00, 0x11, 0x00, 0x00],  // §7.2.3.2: refers to the message before
            [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],  // §7.2.3.3
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],  // §7.2.3.4: the final bit
            [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            #expect(try inflater.inflate(payload, pieces: pieces, room: room) == Self.hello)
            #expect(try inflater.inflate([0x00], pieces: pieces, room: room) == [])  // §7.2.3.6
        }
    }

    @Test("The context outlives a final block")
    func contextAfterFinalBlock() throws {
        var inflater = Inflater()
        #expect(
            try inflater.inflate([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]) == Self.hello
        )
        #expect(try inflater.inflate([0xf2, 0x00, 0x11, 0x00, 0x00]) == Self.hello)
        // Also without the added zero byte, which some senders omit.
        #expect(try inflater.inflate([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == Self.hello)
        #expect(try inflater.inflate([0xf2, 0x00, 0x11, 0x00, 0x00]) == Self.hello)
    }

    @Test("A message may go on after a final block", arguments: [1, 2, 100])
    func afterFinalBlock(pieces: Int) throws {
        let final: [UInt8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        let plain: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        var inflater = Inflater()
        for _ in 0..<3 {
            #expect(
                try inflater.inflate(final + final + plain, pieces: pieces, room: 1)
                    == Self.hello + Self.hello + Self.hello
            )
        }
        // A final empty block, stored, less the four bytes that the receiver adds.
        #expect(try inflater.inflate([0x01], pieces: pieces) == [])
        #expect(try inflater.inflate(plain, pieces: pieces) == Self.hello)
    }

    @Test(
        "The four bytes that a receiver adds can be data, in any room",
        arguments: [1, 2, 5, 6, 100]
    )
    func endAsData(room: Int) throws {
        // A stored block of five bytes, one of which is there.
        let payload: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x6F]
        var inflater = Inflater()
        for _ in 0..<2 {
            #expect(try inflater.inflate(payload, room: room) == [0x6F, 0, 0, 0xFF, 0xFF])
        }
    }

    @Test("Empty blocks and an empty payload are empty messages")
    func empty() throws {
        var inflater = Inflater()
        let block: [UInt8] = [0, 0, 0, 0xFF, 0xFF]
        #expect(try inflater.inflate([]) == [])
        #expect(try inflater.inflate(block + block + [0x00]) == [])
        #expect(try inflater.inflate([0x02, 0x00]) == [])  // an empty fixed block
        #expect(try inflater.inflate([]) == [])
        #expect(try inflater.inflate([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == Self.hello)
        #expect(try inflater.inflate([]) == [])
        #expect(try inflater.inflate([0xf2, 0x00, 0x11, 0x00, 0x00]) == Self.hello)
    }

    @Test(
        "Data that is not DEFLATE, or stops inside a block, is an error",
        arguments: [
            [0xFF], [0x07], [0xf2, 0x48, 0xcd], [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07],
            [0x00, 0x05, 0x00, 0xfa, 0xfe, 0x48], [0x00, 0x06, 0x00, 0xf9, 0xff, 0x48],
            [0xf2, 0x00, 0x11, 0x00, 0x00],  // refers to what never was
            [0x00, 0x00, 0x00, 0xFF, 0xFF],  // the end was not removed
        ] as [[UInt8]]
    )
    func corrupt(payload: [UInt8]) {
        for pieces in [1, 100] {
            var inflater = Inflater()
            #expect(throws: DeflateFailure.corruptData) {
                try inflater.inflate(payload, pieces: pieces)
            }
        }
    }

    @Test("Without context takeover no message refers to another", arguments: [true, false])
    func noContextTakeover(freesIdleStream: Bool) throws {
        for payload: [UInt8] in [
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            var inflater = Inflater(noContextTakeover: true, freesIdleStream: freesIdleStream)
            #expect(try inflater.inflate(payload) == Self.hello)
            #expect(try inflater.inflate(payload) == Self.hello)
            #expect(throws: DeflateFailure.corruptData) {
                try inflater.inflate([0xf2, 0x00, 0x11, 0x00, 0x00])
            }
        }
    }

    @Test("A sender that looks back further than agreed is detected")
    func windowExceeded() throws {
        var random = SeededGenerator(state: 1)
        let block = random.noise(2000)
        var deflater = DeflaterTests.deflater()
        let payload = try deflater.compress(block + block)
        var inflater = Inflater(windowBits: 10)
        #expect(throws: DeflateFailure.corruptData) { try inflater.inflate(payload, room: 100) }
        var wide = Inflater(windowBits: 11)
        #expect(try wide.inflate(payload, room: 100) == block + block)
    }

    @Test(
        "A message of exactly the limit passes, one byte more doesn't",
        arguments: [1, 1000, 100_000]
    )
    func limit(room: Int) throws {
        let message = [UInt8](repeating: 7, count: 10_000)
        var deflater = DeflaterTests.deflater()
        let payload = try deflater.compress(message)
        let second = try deflater.compress(message)
        var exact = Inflater(maximum: 10_000)
        #expect(try exact.inflate(payload, room: room) == message)
        // Each message is counted anew.
        #expect(try exact.inflate(second, room: room) == message)
        var short = Inflater(maximum: 9999)
        #expect(throws: DeflateFailure.messageTooBig(maximum: 9999)) {
            try short.inflate(payload, room: room)
        }
        // It can't go on, and trying does no harm.
        #expect(throws: DeflateFailure.self) { try short.inflate(payload, room: room) }
        var none = Inflater(maximum: 0)
        #expect(try none.inflate([0]) == [])
        #expect(throws: DeflateFailure.messageTooBig(maximum: 0)) { try none.inflate(payload) }
    }

    @Test("Meaningless limits do no harm")
    func oddLimits() throws {
        let payload: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        var endless = Inflater(maximum: .max, ratio: 0)
        #expect(try endless.inflate(payload) == Self.hello)
        var negative = Inflater(maximum: -5, ratio: -5)
        #expect(throws: DeflateFailure.messageTooBig(maximum: 0)) { try negative.inflate(payload) }
    }

    /// A gigabyte of zeros: with a context, each piece of them compresses to the same bytes.
    static func bomb() throws -> [UInt8] {
        var deflater = DeflaterTests.deflater { $0.level = 9 }
        let zeros = [UInt8](repeating: 0, count: 16 << 20)
        let first = try deflater.compress(zeros, ending: .fragment, room: 1 << 20)
        let next = try deflater.compress(zeros, ending: .fragment, room: 1 << 20)
        return first + Array(repeatElement(next, count: 63).joined()) + [0]
    }

    @Test(
        "A gigabyte in a megabyte ends at the limit, within the given room"
    )
    func bombLimit() throws {
        let bomb = try Self.bomb()
        #expect(bomb.count < 1_200_000)
        let limit = 8 << 20
        var inflater = Inflater(maximum: limit)
        var rest = bomb
        var total = 0
        let failure = #expect(throws: DeflateFailure.self) {
            while true {
                let (progress, bytes) = try inflater.inflateOnce(
                    rest,
                    endsMessage: true,
                    room: 65536
                )
                total += bytes.count
                rest.removeFirst(progress.consumed)
            }
        }
        #expect(failure == .messageTooBig(maximum: limit))
        #expect(total <= limit && total > limit - 65536)
        // Little more was read than the input for the limit.
        #expect(bomb.count - rest.count < 20_000)
    }

    @Test("A ratio can be forbidden, above a megabyte")
    func ratio() throws {
        let bomb = try Self.bomb()
        var inflater = Inflater(ratio: 100)
        #expect(throws: DeflateFailure.ratioTooHigh(maximum: 100)) { try inflater.inflate(bomb) }
        var deflater = DeflaterTests.deflater()
        let megabyte = [UInt8](repeating: 0, count: 1 << 20)
        var tolerant = Inflater(ratio: 100)
        #expect(try tolerant.inflate(deflater.compress(megabyte)).count == 1 << 20)
        // The default of the limits is above what DEFLATE can reach.
        var standard = Inflater(maximum: 4 << 20, ratio: Limits().maximumInflationRatio)
        #expect(throws: DeflateFailure.messageTooBig(maximum: 4 << 20)) {
            try standard.inflate(bomb)
        }
    }

    @Test("Exactly the allowed ratio passes, and a higher one doesn't")
    func exactRatio() throws {
        // Beyond a megabyte, where ratios count, a size that is a multiple of its compressed size but for
        // less than that.
        for count in stride(from: 1_048_577, to: 1_070_000, by: 997) {
            var deflater = DeflaterTests.deflater()
            let message = [UInt8](repeating: 0, count: count)
            let payload = try deflater.compress(message, room: 1 << 16)
            let ratio = count / payload.count
            guard count / ratio == payload.count else { continue }
            for (maximum, isAllowed) in [(ratio, true), (ratio - 2, false)] {
                var inflater = Inflater(ratio: maximum)
                let result = Result { try inflater.inflate(payload, room: count + 1) }
                #expect(((try? result.get().count) == count) == isAllowed, "\(maximum)")
            }
            return
        }
        Issue.record("no such size")
    }

    @Test("A message that ends inside a byte is refused, though a block ends there")
    func endInsideByte() {
        // A block with codes of its own: one zero bit is a letter, fifteen one bits end the block.
        // The four bytes that a receiver adds are sixteen letters, the block's end, and a bit too many.
        let payload: [UInt8] = [
            0x04, 0xE0, 0x01, 0x92, 0x24, 0x49, 0x92, 0x24, 0xCB, 0x9E, 0x15, 0x89,
            0x45, 0xCD, 0x23, 0xAB, 0x67, 0xDF, 0xBF, 0x3F, 0x00, 0x00, 0xC0, 0x07,
        ]
        var inflater = Inflater()
        #expect(throws: DeflateFailure.corruptData) { try inflater.inflate(payload) }
    }

    @Test("Random messages arrive whole, whatever was agreed", arguments: 0..<16)
    func roundTrip(seed: Int) throws {
        var random = SeededGenerator(state: UInt64(seed))
        var parameters = DeflateParameters()
        parameters.clientMaxWindowBits = .random(in: 8...15, using: &random)
        parameters.serverMaxWindowBits = .random(in: 8...15, using: &random)
        parameters.clientNoContextTakeover = seed & 1 != 0
        parameters.serverNoContextTakeover = seed & 2 != 0
        var options = DeflateOptions()
        options.freesIdleStreams = seed & 4 != 0
        options.level = .random(in: 0...9, using: &random)
        var client = parameters.deflater(for: .client, options: options)
        var server = parameters.inflater(for: .server, options: options, limits: Limits())
        var reply = parameters.deflater(for: .server, options: options)
        var reader = parameters.inflater(for: .client, options: options, limits: Limits())
        for _ in 0..<60 {
            let count = 1 << Int.random(in: 0...14, using: &random)
            let message = random.message(.random(in: 0..<count, using: &random))
            let payload = try client.compress(
                message,
                pieces: .random(in: 1...5000, using: &random),
                room: .random(in: 1...5000, using: &random)
            )
            let inflated = try server.inflate(
                payload,
                pieces: .random(in: 1...5000, using: &random),
                room: .random(in: 1...5000, using: &random)
            )
            #expect(inflated == message)
            #expect(try reader.inflate(reply.compress(inflated)) == message)
        }
    }

    @Test(
        "Noise and damaged payloads end in an error or a message, never in a loop"
    )
    func noise() throws {
        var random = SeededGenerator(state: 99)
        var deflater = DeflaterTests.deflater(noContextTakeover: true)
        var refused = 0
        for round in 0..<2000 {
            var payload = try deflater.compress(random.message(300))
            if round % 2 == 0 {
                payload = random.noise(.random(in: 1...60, using: &random))
            } else {
                payload[.random(in: 0..<payload.count, using: &random)] ^= 1 << UInt8(round % 8)
                payload.removeLast(.random(in: 0..<4, using: &random))
            }
            var inflater = Inflater(maximum: 10_000)
            do {
                let message = try inflater.inflate(
                    payload,
                    pieces: 1 + round % 9,
                    room: 1 + round % 50
                )
                #expect(message.count <= 10_000)
            } catch is DeflateFailure {
                refused += 1
                // A failed inflater stays harmless.
                _ = try? inflater.inflate(payload)
            }
        }
        #expect(refused > 1000)
    }
}
