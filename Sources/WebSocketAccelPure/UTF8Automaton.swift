/// The UTF-8 automaton, as one shift per byte.
///
/// The states are those of Bjoern Hoehrmann's decoder, numbered as there, times 6:
///
///     0 on a boundary   1 rejected   2 one continuation byte to come   3 two to come
///     4 after E0        5 after ED   6 after F0                        7 after F1...F3   8 after F4
///
/// A byte's entry holds the successors of all nine states, 6 bits each: the successor of state s is
/// at bit 6 * s. So a step is a load that doesn't wait for the state, and a shift that does. The bits
/// above the low 6 are the other states' successors; they are masked off only before a comparison.
enum UTF8Automaton {
    static let boundary: UInt64 = 0
    static let rejected: UInt64 = 6

    /// The successors of all states, by byte.
    ///
    /// A pointer, because an array's bounds would be checked for every byte; it is never written again.
    nonisolated(unsafe) private static let transitions: UnsafePointer<UInt64> = {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 256)
        for byte in UInt8.min...UInt8.max {
            (table + Int(byte)).initialize(to: successors(of: byte))
        }
        return UnsafePointer(table)
    }()

    /// Validates byte by byte; otherwise the same as ``SwiftKernels/validate(_:_:_:)``.
    static func walk(_ bytes: UnsafeRawPointer, _ count: Int, _ state: inout UInt32) -> Int {
        let transitions = transitions
        var current = UInt64(state)
        var offset = 0
        guard current != rejected else { return 0 }
        while current == boundary, count &- offset >= 8, isASCII(bytes + offset) {
            offset &+= 8
        }
        while offset < count {
            let byte = bytes.load(fromByteOffset: offset, as: UInt8.self)
            current = transitions[Int(byte)] &>> current
            if current & 63 == rejected {
                state = UInt32(rejected)
                return offset
            }
            offset &+= 1
        }
        state = UInt32(truncatingIfNeeded: current & 63)
        return -1
    }

    /// Whether eight bytes are ASCII.
    @inline(__always)
    private static func isASCII(_ bytes: UnsafeRawPointer) -> Bool {
        bytes.loadUnaligned(as: UInt64.self) & 0x8080_8080_8080_8080 == 0
    }

    /// Whether three bytes can be right after a state.
    @inline(__always)
    static func accepts(_ bytes: UnsafeRawPointer, after state: UInt32) -> Bool {
        let transitions = transitions
        var current = UInt64(state)
        for offset in 0..<3 {
            let byte = bytes.load(fromByteOffset: offset, as: UInt8.self)
            current = transitions[Int(byte)] &>> current
        }
        return current & 63 != rejected
    }

    /// The state after three bytes at the end of others, all of which may be right, or nil.
    ///
    /// A continuation byte that comes first belongs to a code point that is complete, or that ends
    /// with it. Nothing branches on that: the processor would mispredict about half of the time.
    @inline(__always)
    static func state(afterThree bytes: UnsafeRawPointer) -> UInt32? {
        let transitions = transitions
        var current = boundary
        for offset in 0..<3 {
            let byte = bytes.load(fromByteOffset: offset, as: UInt8.self)
            var successors = transitions[Int(byte)]
            if Int8(bitPattern: byte) < -0x40 {
                successors &= ~63  // On a boundary: stay there.
            }
            current = successors &>> current
        }
        let state = UInt32(truncatingIfNeeded: current & 63)
        return state == rejected ? nil : state
    }

    private static func successors(of byte: UInt8) -> UInt64 {
        typealias Move = (from: UInt64, to: UInt64)
        let moves: [Move]
        switch byte {
        case 0x00...0x7F: moves = [(0, 0)]
        // After F0 overlong.
        case 0x80...0x8F: moves = [(2, 0), (3, 2), (5, 2), (7, 3), (8, 3)]
        // After E0 overlong, after F4 above U+10FFFF.
        case 0x90...0x9F: moves = [(2, 0), (3, 2), (5, 2), (6, 3), (7, 3)]
        // After ED a surrogate, after F4 above U+10FFFF.
        case 0xA0...0xBF: moves = [(2, 0), (3, 2), (4, 2), (6, 3), (7, 3)]
        case 0xC2...0xDF: moves = [(0, 2)]
        case 0xE0: moves = [(0, 4)]
        case 0xED: moves = [(0, 5)]
        case 0xE1...0xEF: moves = [(0, 3)]
        case 0xF0: moves = [(0, 6)]
        case 0xF1...0xF3: moves = [(0, 7)]
        case 0xF4: moves = [(0, 8)]
        // C0 and C1 begin overlong forms, F5 and above code points above U+10FFFF.
        default: moves = []
        }
        return (0...8).reduce(0) { row, state in
            let successor = moves.first { $0.from == state }?.to ?? 1
            return row | 6 * successor << (6 * state)
        }
    }
}
