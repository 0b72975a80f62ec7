import Testing
import WebSocketAccel

@Suite("XORMasker behaves like wsaccel's")
struct XORMaskerTests {
    @Test("RFC 6455's example has the right result, in one piece and in three")
    func rfcExample() throws {
        let hello = Array("Hello".utf8)
        let masked: [UInt8] = [0x7F, 0x9F, 0x4D, 0x51, 0x58]
        var masker = try XORMasker(mask: [0x37, 0xFA, 0x21, 0x3D])
        #expect(masker.process(hello) == masked)
        #expect(masker.pointer == 5)
        masker.reset()
        #expect(masker.pointer == 0)
        #expect(masker.process([]) == [])
        #expect(masker.process(Array(hello[..<1])) == [0x7F])
        #expect(masker.process(Array(hello[1..<3])) == [0x9F, 0x4D])
        #expect(masker.pointer == 3)
        var rest = Array(hello[3...])
        masker.process(inPlace: &rest)
        #expect(rest == [0x51, 0x58])
        #expect(masker.pointer == 5)
    }

    @Test("A span is masked in place")
    func span() {
        var masker = XORMasker(key: [1, 2, 3, 4])
        var bytes: [UInt8] = [0, 0, 0, 0, 0]
        do {
            var span = bytes.mutableSpan
            var rawSpan = span.mutableBytes
            masker.process(inPlace: &rawSpan)
        }
        #expect(bytes == [1, 2, 3, 4, 1])
        Accel.mask(&bytes, key: [1, 2, 3, 4])
        #expect(bytes == [0, 0, 0, 0, 0])
    }

    @Test("A key has four bytes", arguments: [[], [1], [1, 2, 3], [1, 2, 3, 4, 5]] as [[UInt8]])
    func keyLength(key: [UInt8]) {
        #expect(throws: InvalidMask()) { try XORMasker(mask: key) }
        #expect(throws: InvalidMask()) { try createXORMasker(key) }
        #expect("\(InvalidMask())" == "mask should be 4byte.")
    }

    @Test("createXORMasker ignores the length")
    func create() throws {
        var masker = try createXORMasker([1, 2, 3, 4], length: 1000)
        #expect(masker.process([0, 0, 0, 0, 0, 0]) == [1, 2, 3, 4, 1, 2])
    }

    @Test("The null masker counts and changes nothing")
    func null() {
        var masker = XORMaskerNull()
        #expect(masker.process([1, 2, 3]) == [1, 2, 3])
        #expect(masker.process([4]) == [4])
        #expect(masker.pointer == 4)
        masker.reset()
        #expect(masker.pointer == 0)
    }
}
