/// The UTF-8 automaton, as one shift per byte.
///
/// The states are those of Bjoern Hoehrmann's decoder, numbered as there, times 6:
///
///     0 on a boundary   1 rejected   2 one continuation byte to come   3 two to come
///     4 after E0        5 after ED   6 after F0                        7 after F1...F3   8 after F4
///
/// A byte's entry holds the successors of all nine states, 6 bits each: the successor of state s is
/// at bit 6 * s. So a step is a load that doesn't wait for the state, and a shift that does. The bits
/// above the low 6 are the other states' successors; they stay until somebody wants to compare.
enum UTF8Automaton {
    static let boundary: UInt64 = 0
    static let rejected: UInt64 = 6

    /// The successors of all states, by byte.
    static let transitions = InlineArray<256, UInt64> {
        successors(of: UInt8(truncatingIfNeeded: $0))
    }

    private static func successors(of byte: UInt8) -> UInt64 {
        let successorByState: [Int: UInt64]
        switch byte {
        case 0x00...0x7F: successorByState = [0: 0]
        // After F0 overlong.
        case 0x80...0x8F: successorByState = [2: 0, 3: 2, 5: 2, 7: 3, 8: 3]
        // After E0 overlong, after F4 above U+10FFFF.
        case 0x90...0x9F: successorByState = [2: 0, 3: 2, 5: 2, 6: 3, 7: 3]
        // After ED a surrogate, after F4 above U+10FFFF.
        case 0xA0...0xBF: successorByState = [2: 0, 3: 2, 4: 2, 6: 3, 7: 3]
        case 0xC2...0xDF: successorByState = [0: 2]
        case 0xE0: successorByState = [0: 4]
        case 0xED: successorByState = [0: 5]
        case 0xE1...0xEF: successorByState = [0: 3]
        case 0xF0: successorByState = [0: 6]
        case 0xF1...0xF3: successorByState = [0: 7]
        case 0xF4: successorByState = [0: 8]
        // C0 and C1 begin overlong forms, F5 and above code points above U+10FFFF.
        default: successorByState = [:]
        }
        return (0...8).reduce(0) { row, state in
            row | 6 * (successorByState[state] ?? 1) << (6 * UInt64(state))
        }
    }
}
