/// The next event for a receiver of messages.
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

/// The next event for a receiver of parts.
package enum DecodedPart {
    /// Nothing more until bytes arrive.
    case needsMoreBytes
    /// `count` bytes of a message, checked, in the caller's buffer.
    case part(Opcode, count: Int, isLast: Bool)
    /// A control frame; the bytes are valid until the window next changes.
    case control(Opcode, UnsafeRawBufferPointer)
}

/// The receiving half of a connection, without I/O: bytes in, messages out.
///
/// One owner feeds the window and asks for events. A violation is final, as the rest of the stream
/// can't be interpreted.
package struct MessageDecoder: ~Copyable, Sendable {
    package var window = ByteWindow()
    package private(set) var frames: FrameDecoder
    package var assembler: MessageAssembler
    /// Called with the first piece of each frame that isn't a whole message, and its length.
    package var onFragment: (@Sendable (FramePiece, _ length: Int) -> Void)?

    package init(
        role: Role,
        limits: Limits,
        validatesUTF8: Bool = true,
        inflater: consuming Inflater? = nil
    ) {
        frames = FrameDecoder(role: role, limits: limits, allowsCompression: inflater != nil)
        assembler = MessageAssembler(
            validatesUTF8: validatesUTF8,
            maximumBytes: limits.maximumMessageBytes,
            inflater: inflater
        )
    }

    /// The sums of decoded frames.
    package var tally: FrameTally {
        var tally = frames.tally
        tally.payloadBytes &+= assembler.inflatedBytes
        tally.uncompressedBytes = assembler.inflatedBytes
        return tally
    }

    /// Decodes up to the next message or control frame.
    ///
    /// The fast path hands out a message that is complete in the window in place: nothing is copied,
    /// and text is checked there.
    package mutating func next() throws(ProtocolViolation) -> DecodedEvent {
        if let (opcode, bytes) = try nextSmallMessage() { return .message(opcode, bytes) }
        while let piece = try frames.next(&window) {
            if piece.isWholeMessage {
                let bytes = UnsafeRawBufferPointer(piece.bytes)
                if piece.opcode == .text { try assembler.check(wholeText: bytes) }
                return .message(piece.opcode, bytes)
            }
            if piece.opcode.isControl {
                return .control(piece.opcode, UnsafeRawBufferPointer(piece.bytes))
            }
            if let onFragment, piece.startsFrame {
                onFragment(piece, piece.bytes.count + frames.remainingPayload)
            }
            if try assembler.append(piece, expecting: frames.remainingPayload) {
                return .assembledMessage(assembler.messageOpcode)
            }
        }
        return .needsMoreBytes
    }

    /// Decodes the next message if it is small and complete in the window; otherwise does nothing.
    @inline(__always)
    package mutating func nextSmallMessage() throws(ProtocolViolation) -> (
        Opcode, UnsafeRawBufferPointer
    )? {
        guard let (opcode, bytes) = frames.nextSmallMessage(&window) else { return nil }
        if opcode == .text { try assembler.check(wholeText: bytes) }
        return (opcode, bytes)
    }

    /// Decodes one frame, without joining it; `nil` when more bytes are needed. Payloads stay
    /// compressed.
    ///
    /// Only between frames: a frame of which ``next()`` has taken part belongs to its message.
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

    /// Joins a frame from ``nextFrame(partial:)`` to its message; true if that completes the message.
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

    /// Joins a frame from ``nextFrame(partial:)`` to its message and delivers it by itself, inflated.
    ///
    /// Fragments of text are cut between characters, which may leave one of them empty.
    package mutating func fragment(_ frame: Frame) throws(ProtocolViolation) -> Frame {
        _ = try join(frame)
        let payload = assembler.takeFragment(isLast: frame.isFinal)
        return Frame(opcode: frame.opcode, payload: payload, isFinal: frame.isFinal)
    }

    /// Decodes up to the next control frame and drops messages: for an end that wants no more of them.
    ///
    /// Afterwards, the message under way can no longer be received.
    package mutating func nextControl() throws(ProtocolViolation) -> DecodedEvent {
        while let piece = try frames.next(&window) {
            if piece.opcode.isControl {
                return .control(piece.opcode, UnsafeRawBufferPointer(piece.bytes))
            }
        }
        return .needsMoreBytes
    }

    /// Decodes the next part of a message into `room`, which isn't empty.
    ///
    /// Compressed messages are inflated completely before they are handed out.
    package mutating func nextPart(
        into room: UnsafeMutableRawBufferPointer
    ) throws(ProtocolViolation) -> DecodedPart {
        if assembler.hasRemainder { return assembler.handOut(into: room) }
        while let piece = try frames.next(&window, atMost: room.count) {
            if piece.opcode.isControl {
                return .control(piece.opcode, UnsafeRawBufferPointer(piece.bytes))
            }
            if let onFragment, piece.startsFrame {
                onFragment(piece, piece.bytes.count + frames.remainingPayload)
            }
            if assembler.inflates(piece) {
                if try assembler.append(piece) { return assembler.handOut(into: room) }
                continue
            }
            let part = try assembler.check(part: piece)
            room.copyMemory(from: UnsafeRawBufferPointer(piece.bytes))
            if case .part = part { return part }
        }
        return .needsMoreBytes
    }

    /// Counts payload that was read straight into the caller's buffer.
    package mutating func receivedPart(
        directly bytes: UnsafeMutableRawBufferPointer
    ) throws(ProtocolViolation) -> DecodedPart {
        guard let piece = frames.received(directly: bytes) else { return .needsMoreBytes }
        return try assembler.check(part: piece)
    }

    /// Whether the window holds the rest of a frame, so that decoding can go on without another byte.
    package var holdsFrame: Bool {
        assembler.hasRemainder || frames.holdsFrame(in: window)
    }

    /// How many bytes of payload may be read straight into the message's storage, bypassing the window.
    package var directlyReadable: Int {
        window.isEmpty && assembler.takesPayloadDirectly ? frames.remainingPayload : 0
    }

    /// Reads payload straight into the message's storage, in strides that are still in cache when they
    /// are checked.
    ///
    /// In this way, large messages are copied only once: by the kernel.
    package mutating func readDirectly<Failure: Error>(
        upTo limit: Int,
        _ read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        try assembler.appendDirectly(upTo: limit, expecting: frames.remainingPayload, read: read)
    }

    /// Counts and checks the bytes that ``readDirectly(upTo:_:)`` stored.
    package mutating func received(directly count: Int) throws(ProtocolViolation) -> DecodedEvent {
        try assembler.received(directly: count, with: &frames)
            ? .assembledMessage(assembler.messageOpcode) : .needsMoreBytes
    }
}

extension MessageDecoder {
    /// The message of an event, copied out of the window or moved out of the assembler; `nil` if the event
    /// isn't a message.
    package mutating func takeMessage(_ event: DecodedEvent) -> Message? {
        switch event {
        case .message(.text, let bytes): .text(assembler.makeText(bytes))
        case .message(_, let bytes): .binary(Array(bytes))
        case .assembledMessage(.text): .text(assembler.takeText())
        case .assembledMessage: .binary(assembler.takeBytes())
        case .control, .needsMoreBytes: nil
        }
    }

    /// As ``takeMessage(_:)``, as one frame.
    package mutating func takeFrame(_ event: DecodedEvent) -> Frame? {
        switch event {
        case .message(let opcode, let bytes): Frame(opcode: opcode, payload: Array(bytes))
        case .assembledMessage(let opcode): Frame(opcode: opcode, payload: assembler.takeBytes())
        case .control, .needsMoreBytes: nil
        }
    }
}
