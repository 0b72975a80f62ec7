import Testing

@testable import WebSocketAccel

@Suite("UTF8Validator behaves like wsaccel's")
struct UTF8ValidatorTests {
    private typealias Result = UTF8Validator.Result

    private func result(_ isValid: Bool, _ endsOnCodePoint: Bool, _ current: Int, _ total: Int)
        -> Result
    {
        Result(
            isValid: isValid,
            endsOnCodePoint: endsOnCodePoint,
            currentIndex: current,
            totalIndex: total
        )
    }

    @Test("Each piece has wsaccel's four results, and a rejection stays until reset")
    func pieces() {
        var validator = UTF8Validator()
        #expect(validator.validate([]) == result(true, true, 0, 0))
        #expect(validator.validate([0x61, 0x62, 0xE2, 0x82]) == result(true, false, 4, 4))
        #expect(validator.validate([0xAC, 0x21]) == result(true, true, 2, 6))
        #expect(validator.validate([0xFF, 0x7A]) == result(false, false, 0, 6))
        #expect(validator.state == UTF8Validator.reject)
        // wsaccel checks the state byte by byte, so without a byte it finds no fault.
        #expect(validator.validate([]) == result(true, false, 0, 6))
        #expect(validator.validate([0x6F, 0x6B]) == result(false, false, 0, 6))
        #expect(validator.index == 6)
        validator.reset()
        #expect(validator.validate([0x6F, 0x6B]) == result(true, true, 2, 2))
        #expect(validator.state == UTF8Validator.accept)
    }

    @Test("The offending byte's index in the piece and in the stream")
    func failureIndex() {
        var validator = UTF8Validator()
        #expect(validator.validate(Array("abcdef".utf8)) == result(true, true, 6, 6))
        #expect(validator.validate([0x61, 0xED, 0xA0, 0x80]) == result(false, false, 2, 8))
        #expect(validator.validate([0x61]) == result(false, false, 0, 8))
    }

    @Test("A span can be a piece")
    func span() {
        var validator = UTF8Validator()
        let bytes = Array("Grüße".utf8)
        let verdict = validator.validate(bytes.span.bytes)
        #expect(verdict == result(true, true, 7, 7))
        let isValid = Accel.isValidUTF8(bytes.span.bytes)
        #expect(isValid)
    }

    @Test("decode gives the states of Hoehrmann's automaton and the code points")
    func decode() {
        var validator = UTF8Validator()
        let steps: [(UInt8, Int, UInt32)] = [
            (0x61, 0, 97), (0xE2, 3, 2), (0x82, 2, 130), (0xAC, 0, 8364),
            (0xF0, 6, 0), (0x9F, 3, 31), (0x98, 2, 2008), (0x80, 0, 128512),
            (0xE0, 4, 0), (0xA0, 2, 32), (0x80, 0, 0x800), (0xED, 5, 13), (0x9F, 2, 863),
            (0xBF, 0, 0xD7FF), (0xF1, 7, 1), (0x80, 3, 64), (0x80, 2, 4096), (0x80, 0, 0x40000),
            (0xF4, 8, 4), (0x8F, 3, 271), (0xBF, 2, 17407), (0xBF, 0, 0x10FFFF),
            (0xFF, 1, 0), (0x41, 1, 1), (0x80, 1, 64),
        ]
        for (octet, state, codepoint) in steps {
            #expect(validator.decode(octet) == state)
            #expect(validator.state == state)
            #expect(validator.codepoint == codepoint)
        }
        #expect(validator.index == 0)
    }

    @Test("decode and validate go on where the other stopped")
    func mixed() {
        var validator = UTF8Validator()
        #expect(validator.validate([0xE2]) == result(true, false, 1, 1))
        #expect(validator.decode(0x82) == 2)
        #expect(validator.validate([0xAC]) == result(true, true, 1, 2))
    }

    @Test("A whole text is valid if it ends on a boundary")
    func wholeText() {
        #expect(Accel.isValidUTF8([]))
        #expect(Accel.isValidUTF8(Array("κόσμε".utf8)))
        #expect(!Accel.isValidUTF8([0xCE]))
        #expect(!Accel.isValidUTF8([0x61, 0xC0, 0x80]))
    }
}
