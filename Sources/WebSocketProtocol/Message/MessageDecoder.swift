/// What a receiver does next.
package enum DecodedEvent {
    /// Nothing more until bytes arrive.
    case needsMoreBytes
    /// A whole message in place; the bytes are valid until the window next changes.
    case message(Opcode, UnsafeRawBufferPointer)
    /// A message that arrived in pieces, joined in the assembler.
    case assembledMessage(Opcode)
    /// A control frame; the bytes are valid until the window next changes.
    case control(Opcode, UnsafeRawBufferPointer)
}

/// The receiving half of a connection, without I/O: bytes in, messages out.
///
/// One owner feeds the window and asks for events. A violation is final: what the rest of the stream
/// means is unknown.
package struct MessageDecoder: ~Copyable, Sendable {
    package var window = ByteWindow()
    package private(set) var frames: FrameDecoder
    package var assembler: MessageAssembler

    package init(
        role: Role,
        limits: Limits,
        validatesUTF8: Bool = true,
        inflater: consuming Inflater? = nil
    ) {
        frames = FrameDecoder(role: role, limits: limits, allowsCompression: inflater != nil)
        assembler = MessageAssembler(validatesUTF8: validatesUTF8, inflater: inflater)
    }

    /// Decodes up to the next message or control frame.
    ///
    /// The fast path hands out a message that lies whole in the window where it lies: nothing is
    /// copied, and text is checked in place.
    package mutating func next() throws(ProtocolViolation) -> DecodedEvent {
        while let piece = try frames.next(&window) {
            if piece.isWholeMessage {
                try assembler.check(whole: piece)
                return .message(piece.opcode, UnsafeRawBufferPointer(piece.bytes))
            }
            if piece.opcode.isControl {
                return .control(piece.opcode, UnsafeRawBufferPointer(piece.bytes))
            }
            if try assembler.append(piece) { return .assembledMessage(assembler.messageOpcode) }
        }
        return .needsMoreBytes
    }

    /// Decodes one frame, unjoined; `nil` when more bytes are needed. Compressed payloads stay so.
    ///
    /// Only between frames: a frame that ``next()`` took in part belongs to its message.
    package mutating func nextFrame(
        partial: inout Frame?
    ) throws(ProtocolViolation) -> Frame? {
        while let piece = try frames.next(&window) {
            if piece.startsFrame {
                var frame = Frame(opcode: piece.opcode, isFinal: piece.isFinal)
                frame.reservedBits = piece.reservedBits
                partial = frame
            }
            partial?.payload.append(contentsOf: piece.bytes)
            if piece.endsFrame {
                defer { partial = nil }
                return partial
            }
        }
        return nil
    }

    /// Joins a frame of ``nextFrame(partial:)`` to its message; true when that completes it.
    package mutating func join(_ frame: Frame) throws(ProtocolViolation) -> Bool {
        var payload = frame.payload
        let result = payload.withUnsafeMutableBytes { bytes in
            let piece = FramePiece(
                bytes: bytes,
                opcode: frame.opcode,
                reservedBits: frame.reservedBits,
                isFinal: frame.isFinal,
                startsFrame: true,
                endsFrame: true
            )
            return Result { () throws(ProtocolViolation) in try assembler.append(piece) }
        }
        return try result.get()
    }

    /// How many bytes of payload may be read straight into the message's storage, past the window.
    package var directlyReadable: Int {
        window.isEmpty && assembler.takesPayloadDirectly ? frames.remainingPayload : 0
    }

    /// Reads payload straight into the message's storage, in strides that the check finds in cache.
    ///
    /// Large messages are copied once that way: by the kernel.
    package mutating func readDirectly<Failure: Error>(
        upTo limit: Int,
        _ read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try assembler.appendDirectly(upTo: limit, expecting: frames.remainingPayload, read: read)
    }

    /// Accounts for what ``readDirectly(upTo:_:)`` stored.
    package mutating func received(directly count: Int) throws(ProtocolViolation) -> DecodedEvent {
        try assembler.received(directly: count, with: &frames)
            ? .assembledMessage(assembler.messageOpcode) : .needsMoreBytes
    }
}
