import Testing

/// Text that is cut inside a code point, at the lengths where kernels change their method.
@Suite("Cut UTF-8")
struct CutTextTests {
    /// Beginnings of code points, each of which may still become valid.
    private static let beginnings: [[UInt8]] = [
        [0xC2], [0xE0], [0xE1], [0xED], [0xF0], [0xF1], [0xF4], [0xE0, 0xA0], [0xE2, 0x82],
        [0xF0, 0x9F], [0xF1, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x8F, 0xBF],
    ]

    @Test(
        "A piece of ASCII of any length after a cut code point is refused at its first byte",
        arguments: KernelSet.all
    )
    func asciiAfterCut(kernels: KernelSet) {
        let ascii = [UInt8](repeating: 0x61, count: 600)
        var output = [UInt8](repeating: 0, count: 600)
        for beginning in Self.beginnings {
            for count in Array(1...300) + [511, 512, 513, 600] {
                var state = boundary
                #expect(kernels.validate(beginning, beginning.count, &state) == -1)
                var other = state
                #expect(kernels.validate(ascii, count, &state) == 0, "\(beginning), \(count)")
                #expect(state == rejected)
                var key: UInt32 = 7
                let failure = kernels.maskValidating(&output, ascii, count, &key, &other)
                #expect(failure == 0, "\(beginning), \(count)")
                #expect(other == rejected)
            }
        }
    }

    @Test(
        "A cut code point between ASCII of any lengths is refused at the byte after it",
        arguments: KernelSet.all
    )
    func cutBetweenASCII(kernels: KernelSet) {
        for beginning in Self.beginnings {
            for before in 0...70 {
                let start = [UInt8](repeating: 0x61, count: before) + beginning
                let bytes = start + [UInt8](repeating: 0x61, count: 140)
                for after in Array(1...70) + [100, 127, 128, 129, 140] {
                    var state = boundary
                    let failure = kernels.validate(bytes, start.count + after, &state)
                    guard failure == start.count, state == rejected else {
                        Issue.record("\(beginning) after \(before), before \(after): \(failure)")
                        return
                    }
                }
            }
        }
    }

    @Test("No kernel reads or writes a byte outside its buffers")
    func guardPages() async {
        // Touching the pages around the text ends the process.
        await #expect(processExitsWith: .success) {
            let pages = GuardPages()
            let output = GuardPages()
            let text = Array("añ€😀 plain text, then ünd 漢字 so on; ".utf8)
            for kernels in KernelSet.all {
                for count in 0...pages.count {
                    for place in [pages.start, pages.end - count] {
                        for index in 0..<count { place[index] = text[index % text.count] }
                        var state = boundary
                        #expect(kernels.validate(place, count, &state) == -1)
                        var key: UInt32 = 0x0102_0304
                        state = boundary
                        let to = place == pages.start ? output.start : output.end - count
                        #expect(kernels.maskValidating(to, place, count, &key, &state) == -1)
                        key = kernels.mask(to, place, count, key)
                    }
                }
            }
        }
    }
}
