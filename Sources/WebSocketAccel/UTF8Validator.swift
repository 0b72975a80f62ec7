/// Validates UTF-8 that comes in pieces (RFC 3629); wsaccel's `Utf8Validator`.
///
/// A piece may end anywhere, inside a code point too. The first byte that can't be right is found, in
/// the piece that holds it, even if its code point could still go on:
///
/// ```swift
/// var validator = UTF8Validator()
/// print(validator.validate([0x61, 0xe2, 0x82]).isValid)  // true
/// print(validator.validate([0xac, 0xff]).currentIndex)   // 1
/// ```
///
/// A value: a copy goes on by itself. Any thread may use it, one at a time.
public struct UTF8Validator: Sendable {
    /// The result for a piece.
    public struct Result: Sendable, Hashable {
        /// Whether every byte so far can be right.
        public var isValid: Bool

        /// Whether the last code point is complete; `false` if the piece is not valid.
        public var endsOnCodePoint: Bool

        /// The index of the offending byte in this piece, or the piece's length if it is valid.
        public var currentIndex: Int

        /// The index of the offending byte in the whole stream, or the stream's length so far.
        public var totalIndex: Int
    }

    /// The ``state`` between two code points.
    public static let accept = 0

    /// The ``state`` after a byte that can't be right; it stays until ``reset()``.
    public static let reject = 1

    /// The code point that ``decode(_:)`` has put together, complete when it returned ``accept``.
    public private(set) var codepoint: UInt32 = 0

    /// The number of bytes that ``validate(_:)-([UInt8])`` has found valid since the beginning; wsaccel's `i`.
    public private(set) var index = 0

    private var utf8State = UTF8State()

    /// Creates a validator at the beginning of a stream.
    public init() {}

    /// ``accept``, ``reject``, or a larger number inside a code point.
    public var state: Int { Int(utf8State.raw / 6) }

    /// Validates the next piece.
    ///
    /// After an invalid piece, every further piece that isn't empty is invalid at its first byte, until
    /// ``reset()``.
    ///
    /// - Parameter bytes: The bytes that follow those validated so far.
    /// - Returns: Whether they can be right, and up to which byte.
    public mutating func validate(_ bytes: [UInt8]) -> Result {
        bytes.withUnsafeBytes { validate($0) }
    }

    /// Validates the next piece.
    ///
    /// After an invalid piece, every further piece that isn't empty is invalid at its first byte, until
    /// ``reset()``.
    ///
    /// - Parameter bytes: The bytes that follow those validated so far.
    /// - Returns: Whether they can be right, and up to which byte.
    public mutating func validate(_ bytes: RawSpan) -> Result {
        bytes.withUnsafeBytes { validate($0) }
    }

    private mutating func validate(_ bytes: UnsafeRawBufferPointer) -> Result {
        let failure = bytes.isEmpty ? -1 : Kernels.validate(bytes, state: &utf8State)
        let validCount = failure < 0 ? bytes.count : failure
        index &+= validCount
        return Result(
            isValid: failure < 0,
            endsOnCodePoint: utf8State.isOnBoundary,
            currentIndex: validCount,
            totalIndex: index
        )
    }

    /// Takes one byte and puts ``codepoint`` together; ``index`` doesn't count it.
    ///
    /// - Parameter octet: The next byte.
    /// - Returns: The new ``state``: ``accept`` if `codepoint` is complete, ``reject`` if the byte
    ///   can't be right, a larger number if more bytes must follow.
    public mutating func decode(_ octet: UInt8) -> Int {
        if utf8State.isOnBoundary {
            codepoint = UInt32(octet & Self.payloadBits(ofFirst: octet))
        } else {
            codepoint = UInt32(octet & 0x3F) | codepoint << 6
        }
        _ = withUnsafeBytes(of: octet) { Kernels.validate($0, state: &utf8State) }
        return state
    }

    /// Begins a new stream.
    public mutating func reset() {
        self = UTF8Validator()
    }

    /// The bits of a code point's first byte that belong to its number.
    private static func payloadBits(ofFirst octet: UInt8) -> UInt8 {
        switch octet {
        case 0x00...0x7F: 0x7F
        case 0xC2...0xDF: 0x1F
        case 0xE0...0xEF: 0x0F
        case 0xF0...0xF4: 0x07
        default: 0
        }
    }
}
