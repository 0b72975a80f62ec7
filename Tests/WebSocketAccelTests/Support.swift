import CWebSocketAccel
import Glibc
import Testing
import WebSocketAccelPure

/// One set of kernels: each instruction set that this machine has, and the Swift ones.
struct KernelSet: @unchecked Sendable, CustomTestStringConvertible {  // It holds only functions.
    typealias Mask = (UnsafeMutableRawPointer, UnsafeRawPointer, Int, UInt32) -> UInt32
    typealias Validate = (UnsafeRawPointer, Int, inout UInt32) -> Int
    typealias MaskValidating =
        (UnsafeMutableRawPointer, UnsafeRawPointer, Int, inout UInt32, inout UInt32) -> Int

    let testDescription: String
    let mask: Mask
    let validate: Validate
    let maskValidating: MaskValidating

    static let all: [KernelSet] =
        [WSA_SCALAR, WSA_AVX2, WSA_AVX512, WSA_NEON].compactMap(KernelSet.init(level:)) + [swift]

    static let swift = KernelSet(
        testDescription: "swift",
        mask: SwiftKernels.mask,
        validate: SwiftKernels.validate,
        maskValidating: SwiftKernels.maskValidating
    )

    private init(
        testDescription: String,
        mask: @escaping Mask,
        validate: @escaping Validate,
        maskValidating: @escaping MaskValidating
    ) {
        self.testDescription = testDescription
        self.mask = mask
        self.validate = validate
        self.maskValidating = maskValidating
    }

    private init?(level: wsa_level) {
        guard let kernels = wsa_kernels_at(level)?.pointee else { return nil }
        testDescription = String(cString: kernels.name)
        mask = { kernels.mask($0, $1, $2, $3) }
        validate = { kernels.validate($0, $1, &$2) }
        maskValidating = { kernels.mask_validating($0, $1, $2, &$3, &$4) }
    }
}

/// The state on a boundary and after a rejection.
let boundary: UInt32 = 0
let rejected: UInt32 = 6

/// The result of checking a whole stream.
struct Verdict: Hashable {
    /// The index of the first byte that can't be right, or -1.
    var failure: Int
    var endsOnBoundary: Bool
}

/// The slow reference: table 3-7 of the Unicode Standard, "Well-Formed UTF-8 Byte Sequences".
enum Reference {
    private static let continuation: ClosedRange<UInt8> = 0x80...0xBF

    private static func following(_ first: UInt8) -> [ClosedRange<UInt8>]? {
        switch first {
        case 0x00...0x7F: []
        case 0xC2...0xDF: [continuation]
        case 0xE0: [0xA0...0xBF, continuation]
        case 0xE1...0xEC: [continuation, continuation]
        case 0xED: [0x80...0x9F, continuation]
        case 0xEE...0xEF: [continuation, continuation]
        case 0xF0: [0x90...0xBF, continuation, continuation]
        case 0xF1...0xF3: [continuation, continuation, continuation]
        case 0xF4: [0x80...0x8F, continuation, continuation]
        default: nil
        }
    }

    private static let followingByFirst = (0...255).map { following(UInt8($0)) }

    static func check(_ bytes: some RandomAccessCollection<UInt8>) -> Verdict {
        var bytes = bytes.makeIterator()
        var index = 0
        while let first = bytes.next() {
            guard let following = followingByFirst[Int(first)] else {
                return Verdict(failure: index, endsOnBoundary: false)
            }
            index += 1
            for range in following {
                guard let byte = bytes.next() else {
                    return Verdict(failure: -1, endsOnBoundary: false)
                }
                guard range.contains(byte) else {
                    return Verdict(failure: index, endsOnBoundary: false)
                }
                index += 1
            }
        }
        return Verdict(failure: -1, endsOnBoundary: true)
    }

    static func masked(_ bytes: [UInt8], key: [UInt8], offset: Int = 0) -> [UInt8] {
        bytes.indices.map { bytes[$0] ^ key[($0 + offset) % 4] }
    }
}

extension KernelSet {
    /// Checks a stream in pieces that end at `splits`.
    func check(_ bytes: UnsafeRawBufferPointer, splits: [Int] = []) -> Verdict {
        guard let base = bytes.baseAddress else {
            return Verdict(failure: -1, endsOnBoundary: true)
        }
        var state = boundary
        var start = 0
        for piece in 0...splits.count {
            let end = piece < splits.count ? splits[piece] : bytes.count
            let failure = validate(base + start, end - start, &state)
            if failure >= 0 {
                return Verdict(failure: start + failure, endsOnBoundary: state == boundary)
            }
            start = end
        }
        return Verdict(failure: -1, endsOnBoundary: state == boundary)
    }

    func check(_ bytes: [UInt8], splits: [Int] = []) -> Verdict {
        bytes.withUnsafeBytes { check($0, splits: splits) }
    }
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Bytes at a chosen alignment between guard bytes.
final class GuardedBuffer {
    private let storage: UnsafeMutableRawPointer
    private let capacity: Int
    private static let guardByte: UInt8 = 0xA5
    private static let margin = 64

    init(capacity: Int) {
        self.capacity = capacity + 3 * Self.margin
        storage = .allocate(byteCount: self.capacity, alignment: 64)
    }

    deinit { storage.deallocate() }

    /// Fills everything but the `bytes` with guard bytes, and returns where the `bytes` are.
    func place(_ bytes: UnsafeRawPointer, _ count: Int, alignment: Int) -> UnsafeMutableRawPointer {
        let place = clear(alignment: alignment)
        memcpy(place, bytes, count)
        return place
    }

    func clear(alignment: Int) -> UnsafeMutableRawPointer {
        memset(storage, Int32(Self.guardByte), capacity)
        return storage + Self.margin + alignment
    }

    /// Whether the bytes are `expected` and those around them are still guard bytes.
    func holds(_ expected: UnsafeRawPointer, _ count: Int, alignment: Int) -> Bool {
        let start = Self.margin + alignment
        return memcmp(storage + start, expected, count) == 0
            && isGuard(from: 0, to: start) && isGuard(from: start + count, to: capacity)
    }

    private func isGuard(from start: Int, to end: Int) -> Bool {
        // All bytes are the same if the first is right and each equals the one before it.
        start == end
            || storage.load(fromByteOffset: start, as: UInt8.self) == Self.guardByte
                && memcmp(storage + start, storage + start + 1, end - start - 1) == 0
    }
}

/// A few hundred bytes between two pages that nobody may touch.
final class GuardPages {
    /// The bytes between the guards.
    let count = 600
    /// The first byte behind the guard page at the front.
    let start: UnsafeMutablePointer<UInt8>
    /// The first byte of the guard page at the end.
    let end: UnsafeMutablePointer<UInt8>
    private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    init() {
        let size = Self.pageSize
        let pages = mmap(nil, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let pages, pages != MAP_FAILED else { preconditionFailure("no memory") }
        guard mprotect(pages + size, size, PROT_READ | PROT_WRITE) == 0 else {
            preconditionFailure("mprotect: \(errno)")
        }
        start = (pages + size).assumingMemoryBound(to: UInt8.self)
        end = start + size
    }

    deinit { munmap(start - Self.pageSize, 3 * Self.pageSize) }
}
