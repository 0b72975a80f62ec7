/// Masks a payload that comes in pieces (RFC 6455 §5.3); wsaccel's `XorMaskerSimple`.
///
/// Masking and unmasking are the same. The masker counts the bytes and goes on with the key where the
/// piece before ended:
///
/// ```swift
/// var masker = try XORMasker(mask: [0x37, 0xfa, 0x21, 0x3d])
/// print(masker.process([0x48, 0x65]))  // [127, 159]
/// print(masker.process([0x6c]))        // [77]
/// print(masker.pointer)                // 3
/// ```
///
/// A value: a copy goes on by itself. Any thread may use it, one at a time.
public struct XORMasker: Sendable {
    /// The number of bytes processed since the beginning or the last ``reset()``.
    public private(set) var pointer = 0

    private let key: UInt32
    private var rotatedKey: UInt32

    /// Creates a masker from the bytes of a masking key.
    ///
    /// - Parameter mask: The key, four bytes.
    /// - Throws: ``InvalidMask`` if there are more or fewer bytes than four.
    public init(mask: [UInt8]) throws {
        guard mask.count == 4 else { throw InvalidMask() }
        self.init(key: [mask[0], mask[1], mask[2], mask[3]])
    }

    /// Creates a masker from a masking key.
    ///
    /// - Parameter key: The key, in the order of its bytes on the wire.
    public init(key: InlineArray<4, UInt8>) {
        self.key = UInt32(keyBytes: key)
        rotatedKey = self.key
    }

    /// Returns a masked copy of the next piece.
    ///
    /// - Parameter data: The bytes that follow those processed so far.
    /// - Returns: As many bytes, masked.
    public mutating func process(_ data: [UInt8]) -> [UInt8] {
        // Without room it would write the length of the empty array, which all threads share.
        guard !data.isEmpty else { return [] }
        pointer &+= data.count
        return [UInt8](unsafeUninitializedCapacity: data.count) { buffer, count in
            count = data.count
            guard let destination = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
            rotatedKey = data.withUnsafeBytes { source in
                Kernels.copyMasked(from: source, to: destination, key: rotatedKey)
            }
        }
    }

    /// Masks the next piece in place.
    ///
    /// - Parameter data: The bytes that follow those processed so far.
    public mutating func process(inPlace data: inout [UInt8]) {
        data.withUnsafeMutableBytes { process(inPlace: $0) }
    }

    /// Masks the next piece in place.
    ///
    /// - Parameter data: The bytes that follow those processed so far.
    public mutating func process(inPlace data: inout MutableRawSpan) {
        data.withUnsafeMutableBytes { process(inPlace: $0) }
    }

    private mutating func process(inPlace data: UnsafeMutableRawBufferPointer) {
        pointer &+= data.count
        rotatedKey = Kernels.mask(data, key: rotatedKey)
    }

    /// Begins again: the next byte goes with the first byte of the key.
    public mutating func reset() {
        pointer = 0
        rotatedKey = key
    }
}

/// Takes the place of an ``XORMasker`` where nothing is masked; wsaccel's `XorMaskerNull`.
public struct XORMaskerNull: Sendable {
    /// The number of bytes processed since the beginning or the last ``reset()``.
    public private(set) var pointer = 0

    /// Creates a masker that masks nothing.
    ///
    /// - Parameter mask: Ignored.
    public init(mask: [UInt8]? = nil) {}

    /// Counts the next piece and returns it as it is, without a copy.
    ///
    /// - Parameter data: The bytes that follow those processed so far.
    /// - Returns: The same bytes.
    public mutating func process(_ data: [UInt8]) -> [UInt8] {
        pointer &+= data.count
        return data
    }

    /// Sets ``pointer`` to 0.
    public mutating func reset() {
        pointer = 0
    }
}

/// A masking key that doesn't have four bytes.
public struct InvalidMask: Error, Hashable, CustomStringConvertible {
    /// The error's text, as in wsaccel.
    public var description: String { "mask should be 4byte." }

    package init() {}
}

/// Creates a masker; wsaccel's function of the same name.
///
/// - Parameters:
///   - mask: The key, four bytes.
///   - length: Ignored; there is one implementation for payloads of all lengths.
/// - Returns: A masker at the beginning of a payload.
/// - Throws: ``InvalidMask`` if there are more or fewer bytes than four.
public func createXORMasker(
    _ mask: [UInt8],
    length: Int? = nil
) throws -> XORMasker {
    try XORMasker(mask: mask)
}
