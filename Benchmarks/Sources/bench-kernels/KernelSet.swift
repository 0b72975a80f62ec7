import CWebSocketAccel
import Foundation
import WebSocketAccelPure

/// One set of kernels: each instruction set that this machine has, and the Swift ones.
struct KernelSet: @unchecked Sendable {  // Functions alone.
    let name: String
    let mask: (UnsafeMutableRawPointer, UnsafeRawPointer, Int, UInt32) -> UInt32
    let validate: (UnsafeRawPointer, Int, inout UInt32) -> Int
    let maskValidating:
        (UnsafeMutableRawPointer, UnsafeRawPointer, Int, inout UInt32, inout UInt32) -> Int

    static let all =
        [WSA_AVX512, WSA_AVX2, WSA_NEON, WSA_SCALAR].compactMap { KernelSet(level: $0) } + [swift]

    private static let swift = KernelSet(
        name: "swift",
        mask: SwiftKernels.mask,
        validate: SwiftKernels.validate,
        maskValidating: SwiftKernels.maskValidating
    )
}

extension KernelSet {
    private init?(level: wsa_level) {
        guard let kernels = wsa_kernels_at(level)?.pointee else { return nil }
        name = String(cString: kernels.name)
        mask = { kernels.mask($0, $1, $2, $3) }
        validate = { kernels.validate($0, $1, &$2) }
        maskValidating = { kernels.mask_validating($0, $1, $2, &$3, &$4) }
    }
}

/// Memory that starts on a cache line.
final class Memory {
    let base: UnsafeMutableRawPointer
    let size: Int

    init(size: Int) {
        base = .allocate(byteCount: size, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        self.size = size
    }

    convenience init(file: String, size: Int) throws {
        self.init(size: size)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file)).prefix(size)
        bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: base, count: size).copyMemory(from: $0)
        }
    }

    deinit { base.deallocate() }
}

/// What the standard library says, which is what there is without kernels.
func isValidByStandardLibrary(_ text: Memory) -> Bool {
    let bytes = UnsafeBufferPointer(
        start: text.base.assumingMemoryBound(to: UInt8.self),
        count: text.size
    )
    return (try? UTF8Span(validating: bytes.span)) != nil
}
