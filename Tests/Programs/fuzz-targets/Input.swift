/// The fuzzer's bytes: the first ones choose the settings, the rest is data.
struct Input {
    private var bytes: UnsafeRawBufferPointer.SubSequence

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes[...] }

    /// The next byte; 0 when there is none.
    mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

    /// The next bytes, as many as there are up to `count`.
    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { bytes = bytes.dropFirst(count) }
        return Array(bytes.prefix(count))
    }

    var isEmpty: Bool { bytes.isEmpty }

    /// The remaining bytes.
    var rest: [UInt8] { Array(bytes) }

    var restAsText: String { String(decoding: bytes, as: UTF8.self) }

    /// Two sizes of pieces: small ones, so that pieces end in many places.
    mutating func pieceSizes() -> PieceSizes {
        PieceSizes(first: 1 + Int(byte() & 15), second: 1 + Int(byte()))
    }
}

/// How a stream is cut: a piece of the first size, one of the second, and so on.
struct PieceSizes {
    var first: Int
    var second: Int

    /// One piece for all.
    static let whole = PieceSizes(first: .max, second: .max)

    func pieces(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces.count.isMultiple(of: 2) ? first : second)
            rest = rest.dropFirst(piece.count)
            pieces.append(piece)
        }
        return pieces
    }
}
