import WebSocketAccel

// Rules (RFC 6455):
// 1. A message is one data frame, or a data frame and continuations up to a final one (§5.4).
// 2. Control frames may stand between fragments; they come whole (§5.5).
// 3. Reserved bits are zero unless an extension gave them a meaning (§5.2): RSV1 on the first frame
//    of a compressed message, and nowhere else (RFC 7692 §6).
// 4. The message limit counts bytes after inflating. A compressed message may take more bytes than
//    that on the wire, as data that can't be compressed grows a little; `wireLimit` bounds that.

/// A part of a frame's payload, pointing into the bytes it was decoded from.
package struct FramePiece {
    package var bytes: UnsafeMutableRawBufferPointer
    package var opcode: Opcode
    package var reservedBits: UInt8
    /// The frame's FIN bit.
    package var isFinal: Bool
    package var startsFrame: Bool
    package var endsFrame: Bool

    package init(
        bytes: UnsafeMutableRawBufferPointer,
        opcode: Opcode,
        reservedBits: UInt8,
        isFinal: Bool,
        startsFrame: Bool,
        endsFrame: Bool
    ) {
        self.bytes = bytes
        self.opcode = opcode
        self.reservedBits = reservedBits
        self.isFinal = isFinal
        self.startsFrame = startsFrame
        self.endsFrame = endsFrame
    }

    /// Whether it is a whole message by itself, not compressed.
    var isWholeMessage: Bool {
        (opcode == .text || opcode == .binary) && isFinal && startsFrame && endsFrame
            && reservedBits == 0
    }
}

/// Turns bytes into pieces of frames, and checks them against the rules of framing.
///
/// Data payloads come out as they arrive, control frames whole.
package struct FrameDecoder: ~Copyable, Sendable {
    private let role: Role
    private let limits: Limits
    private let allowsCompression: Bool
    /// Whether no limit is below the length that fits a short header.
    private let takesSmallMessages: Bool

    /// The data frame whose payload is being received.
    private var frame: FrameHeader?
    private var remaining = 0
    private var maskingKey: UInt32 = 0
    private var isInsideMessage = false
    private var fragments = 0
    private var messageBytes = 0
    private var isCompressed = false
    /// The sums of decoded frames; compressed messages count with their payload on the wire.
    package var tally: FrameTally {
        var tally = larger
        tally.count(small: smallMessages, wire: smallBytes)
        return tally
    }
    /// All frames but those that `nextSmallMessage` took.
    private var larger = FrameTally()
    private var smallMessages = 0
    private var smallBytes = 0
    /// The most bytes that a compressed message within the limit takes on the wire, without the flushes
    /// at the ends of fragments.
    private let compressedLimit: Int
    /// The most bytes that a flush adds: an empty block, and the rest of the byte before it.
    private static let flushBytes = 16

    package init(role: Role, limits: Limits, allowsCompression: Bool) {
        self.role = role
        self.limits = limits
        self.allowsCompression = allowsCompression
        compressedLimit = Deflater.maximumCompressedBytes(max(0, limits.maximumMessageBytes))
        takesSmallMessages =
            role == .client && limits.maximumFragments > 0
            && min(limits.maximumFrameBytes, limits.maximumMessageBytes) > 125
    }

    /// How much of the current data frame's payload is still to come.
    package var remainingPayload: Int { remaining }

    /// Whether the next byte begins a new message or control frame.
    package var isBetweenMessages: Bool { frame == nil && !isInsideMessage }

    /// Whether the next byte begins a frame.
    package var isBetweenFrames: Bool { frame == nil }

    /// Decodes a message that is one short frame, complete in the window; if `nil`, use
    /// ``next(_:atMost:)``.
    ///
    /// Fast because two bytes tell everything: final, text or binary, neither compressed nor masked,
    /// with a length that needs no further bytes.
    @inline(__always)
    mutating func nextSmallMessage(
        _ window: inout ByteWindow
    ) -> (opcode: Opcode, bytes: UnsafeRawBufferPointer)? {
        let bytes = UnsafeRawBufferPointer(window.bytes)
        guard takesSmallMessages, isBetweenMessages, bytes.count >= 2 else { return nil }
        let first = bytes[0]
        let end = 2 + Int(bytes[1])
        guard first == 0x81 || first == 0x82, end < 128, end <= bytes.count else { return nil }
        window.consume(end)
        smallMessages &+= 1
        smallBytes &+= end
        let payload = UnsafeRawBufferPointer(rebasing: bytes[2..<end])
        return (first == 0x81 ? .text : .binary, payload)
    }

    /// Decodes the next piece, at most `limit` bytes of data; `nil` when more bytes are needed.
    package mutating func next(
        _ window: inout ByteWindow,
        atMost limit: Int = .max
    ) throws(ProtocolViolation) -> FramePiece? {
        if frame != nil {
            guard !window.isEmpty else { return nil }
            return takePayload(from: &window, atMost: limit, startsFrame: false)
        }
        let bytes = window.bytes
        guard let first = bytes.first else { return nil }
        try check(first: first)
        guard
            let (header, length) = try FrameHeader.decode(UnsafeRawBufferPointer(bytes), role: role)
        else { return nil }

        if header.opcode.isControl {
            guard bytes.count >= length + header.payloadLength else { return nil }
            window.consume(length)
            return takeWhole(header, from: &window)
        }
        try begin(header)
        window.consume(length)
        // Without a limit on frames, the sum of header and payload may overflow an Int.
        if header.payloadLength <= min(limit, bytes.count - length) {
            if header.isFinal { isInsideMessage = false }
            return takeWhole(header, from: &window)
        }
        frame = header
        remaining = header.payloadLength
        maskingKey = header.maskingKey ?? 0
        return takePayload(from: &window, atMost: limit, startsFrame: true)
    }

    /// Whether the window holds the rest of a frame, or bytes that can't be one.
    package func holdsFrame(in window: borrowing ByteWindow) -> Bool {
        if frame != nil { return window.count >= remaining }
        do throws(ProtocolViolation) {
            let bytes = UnsafeRawBufferPointer(window.bytes)
            guard let (header, length) = try FrameHeader.decode(bytes, role: role) else {
                return false
            }
            return window.count - length >= header.payloadLength
        } catch {
            return true
        }
    }

    /// Counts payload that was read straight into the message's storage, bypassing the window.
    package mutating func received(
        directly bytes: UnsafeMutableRawBufferPointer
    ) -> FramePiece? {
        guard let header = frame else { return nil }
        return piece(of: header, bytes: bytes, startsFrame: false)
    }

    /// Checks a frame's first byte: every rule but the limits depends only on it.
    @inline(__always)
    private func check(first byte: UInt8) throws(ProtocolViolation) {
        let opcode = try FrameHeader.decodeFirst(byte).opcode
        let reservedBits = byte >> 4 & 0x7
        if opcode.isControl {
            guard reservedBits == 0 else { throw ProtocolViolation(.reservedBits) }
        } else if opcode == .continuation {
            guard isInsideMessage else { throw ProtocolViolation(.unexpectedContinuation) }
            guard reservedBits == 0 else { throw ProtocolViolation(.reservedBits) }
        } else {
            guard !isInsideMessage else { throw ProtocolViolation(.expectedContinuation) }
            guard reservedBits == 0 || (reservedBits == 4 && allowsCompression) else {
                throw ProtocolViolation(.reservedBits)
            }
        }
    }

    /// Checks a data frame against the limits of its message.
    private mutating func begin(_ header: FrameHeader) throws(ProtocolViolation) {
        if header.opcode == .continuation {
            fragments += 1
        } else {
            isInsideMessage = true
            fragments = 1
            messageBytes = 0
            isCompressed = header.reservedBits == 4
        }
        guard fragments <= limits.maximumFragments else {
            throw ProtocolViolation(.tooManyFragments(maximum: limits.maximumFragments))
        }
        guard header.payloadLength <= limits.maximumFrameBytes else {
            throw ProtocolViolation(.frameTooBig(maximum: limits.maximumFrameBytes))
        }
        let (sum, overflow) = messageBytes.addingReportingOverflow(header.payloadLength)
        guard !overflow, sum <= wireLimit else {
            throw ProtocolViolation(.messageTooBig(maximum: limits.maximumMessageBytes))
        }
        messageBytes = sum
    }

    /// The most bytes of payload that the current message may have so far, in all its frames.
    private var wireLimit: Int {
        guard isCompressed else { return limits.maximumMessageBytes }
        let (flushes, isTooMany) = fragments.multipliedReportingOverflow(by: Self.flushBytes)
        let (sum, overflow) = compressedLimit.addingReportingOverflow(flushes)
        return isTooMany || overflow ? .max : sum
    }

    /// Counts a frame that has come whole.
    private mutating func count(_ header: FrameHeader) {
        let length = header.payloadLength
        let isInflated = isCompressed && !header.opcode.isControl
        if isInflated { larger.compressedBytes &+= length }
        larger.count(
            header.opcode,
            isFinal: header.isFinal,
            payload: isInflated ? 0 : length,
            wire: FrameHeader.frameLength(payload: length, isMasked: header.maskingKey != nil)
        )
    }

    private mutating func takeWhole(
        _ header: FrameHeader,
        from window: inout ByteWindow
    ) -> FramePiece {
        count(header)
        let bytes = UnsafeMutableRawBufferPointer(
            rebasing: window.bytes.prefix(header.payloadLength)
        )
        window.consume(header.payloadLength)
        if let key = header.maskingKey { Kernels.mask(bytes, key: key) }
        return FramePiece(
            bytes: bytes,
            opcode: header.opcode,
            reservedBits: header.reservedBits,
            isFinal: header.isFinal,
            startsFrame: true,
            endsFrame: true
        )
    }

    private mutating func takePayload(
        from window: inout ByteWindow,
        atMost limit: Int,
        startsFrame: Bool
    ) -> FramePiece? {
        guard let header = frame else { return nil }
        let bytes = UnsafeMutableRawBufferPointer(
            rebasing: window.bytes.prefix(min(remaining, limit))
        )
        window.consume(bytes.count)
        return piece(of: header, bytes: bytes, startsFrame: startsFrame)
    }

    private mutating func piece(
        of header: FrameHeader,
        bytes: UnsafeMutableRawBufferPointer,
        startsFrame: Bool
    ) -> FramePiece {
        if header.maskingKey != nil { maskingKey = Kernels.mask(bytes, key: maskingKey) }
        remaining -= bytes.count
        let endsFrame = remaining == 0
        if endsFrame {
            count(header)
            frame = nil
            if header.isFinal { isInsideMessage = false }
        }
        return FramePiece(
            bytes: bytes,
            opcode: header.opcode,
            reservedBits: header.reservedBits,
            isFinal: header.isFinal,
            startsFrame: startsFrame,
            endsFrame: endsFrame
        )
    }
}
