import CWebSocketAccel
import WebSocketAccelPure

/// Every set of kernels against the simplest loops, on one payload in pieces.
enum KernelFuzz {
    /// The first bytes of the input choose the masking key, the alignment and the sizes of the pieces.
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        guard bytes.count > 8 else { return }
        let key = bytes.loadUnaligned(as: UInt32.self)
        let alignment = Int(bytes[4] & 63)
        let pieceSize = 1 + Int(bytes[5]) * Int(bytes[6] & 15 + 1)
        let payload = bytes.dropFirst(7)

        let expectedMask = payload.enumerated().map { index, byte in
            byte ^ UInt8(truncatingIfNeeded: key >> (8 * (UInt32(index) & 3)))
        }
        let isValid = String(validating: payload, as: UTF8.self) != nil
        let expected = Kernels.all[0].validate(payload, pieceSize)
        try require(isValid == (expected.failure < 0 && expected.state == 0), "not what Swift says")

        for kernels in Kernels.all {
            let room = UnsafeMutableRawBufferPointer.allocate(
                byteCount: payload.count + alignment,
                alignment: 64
            )
            defer { room.deallocate() }
            let target = UnsafeMutableRawBufferPointer(rebasing: room[alignment...])

            kernels.mask(payload, to: target, key, pieceSize)
            try require(target.elementsEqual(expectedMask), "\(kernels.name) masks otherwise")

            let verdict = kernels.validate(payload, pieceSize)
            try require(verdict == expected, "\(kernels.name) validates otherwise")

            let both = kernels.maskValidating(payload, to: target, key, pieceSize)
            try require(both == expected, "\(kernels.name) validates otherwise while masking")
            try require(
                both.failure >= 0 || target.elementsEqual(expectedMask),
                "\(kernels.name) masks otherwise while validating"
            )
        }
    }
}

/// The result of a check of a stream: the index of the byte that can't be right or -1, and the state.
private struct Verdict: Equatable {
    var failure = -1
    var state: UInt32 = 0
}

/// One set of kernels; the first is the scalar one, with which the others are compared.
private struct Kernels: @unchecked Sendable {  // It holds only functions.
    typealias Mask = (UnsafeMutableRawPointer, UnsafeRawPointer, Int, UInt32) -> UInt32
    typealias Validate = (UnsafeRawPointer, Int, inout UInt32) -> Int
    typealias MaskValidating =
        (UnsafeMutableRawPointer, UnsafeRawPointer, Int, inout UInt32, inout UInt32) -> Int

    let name: String
    private let mask: Mask
    private let validate: Validate
    private let maskValidating: MaskValidating

    static let all =
        [WSA_SCALAR, WSA_AVX2, WSA_AVX512, WSA_NEON].compactMap { Kernels($0) } + [
            Kernels(
                name: "swift",
                mask: SwiftKernels.mask,
                validate: SwiftKernels.validate,
                maskValidating: SwiftKernels.maskValidating
            )
        ]

    private init(
        name: String,
        mask: @escaping Mask,
        validate: @escaping Validate,
        maskValidating: @escaping MaskValidating
    ) {
        self.name = name
        self.mask = mask
        self.validate = validate
        self.maskValidating = maskValidating
    }

    private init?(_ level: wsa_level) {
        guard let kernels = wsa_kernels_at(level)?.pointee else { return nil }
        self.init(
            name: String(cString: kernels.name),
            mask: { kernels.mask($0, $1, $2, $3) },
            validate: { kernels.validate($0, $1, &$2) },
            maskValidating: { kernels.mask_validating($0, $1, $2, &$3, &$4) }
        )
    }

    func mask(
        _ payload: Slice<UnsafeRawBufferPointer>,
        to target: UnsafeMutableRawBufferPointer,
        _ key: UInt32,
        _ pieceSize: Int
    ) {
        var key = key
        for (offset, piece) in pieces(of: payload, pieceSize) {
            guard let source = piece.baseAddress, let room = target.baseAddress else { return }
            key = mask(room + offset, source, piece.count, key)
        }
    }

    func validate(_ payload: Slice<UnsafeRawBufferPointer>, _ pieceSize: Int) -> Verdict {
        var verdict = Verdict()
        for (offset, piece) in pieces(of: payload, pieceSize) {
            guard let source = piece.baseAddress else { break }
            let failure = validate(source, piece.count, &verdict.state)
            guard failure < 0 else { return Verdict(failure: offset + failure, state: 6) }
        }
        return verdict
    }

    func maskValidating(
        _ payload: Slice<UnsafeRawBufferPointer>,
        to target: UnsafeMutableRawBufferPointer,
        _ key: UInt32,
        _ pieceSize: Int
    ) -> Verdict {
        var verdict = Verdict()
        var key = key
        for (offset, piece) in pieces(of: payload, pieceSize) {
            guard let source = piece.baseAddress, let room = target.baseAddress else { break }
            let failure = maskValidating(room + offset, source, piece.count, &key, &verdict.state)
            guard failure < 0 else { return Verdict(failure: offset + failure, state: 6) }
        }
        return verdict
    }

    private func pieces(
        of payload: Slice<UnsafeRawBufferPointer>,
        _ size: Int
    ) -> [(Int, UnsafeRawBufferPointer)] {
        let whole = UnsafeRawBufferPointer(rebasing: payload)
        return stride(from: 0, to: whole.count, by: size).map { offset in
            let end = min(offset + size, whole.count)
            return (offset, UnsafeRawBufferPointer(rebasing: whole[offset..<end]))
        }
    }
}
