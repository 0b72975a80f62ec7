package import WebSocketProtocol

/// The events of a stream.
package enum RecordedEvent: Sendable, Hashable {
    case message(Opcode, [UInt8])
    case control(Opcode, [UInt8])
    case violation(ProtocolViolation.Rule)

    package static func text(_ text: String) -> RecordedEvent { .message(.text, Array(text.utf8)) }
}

/// Feeds a stream to a ``MessageDecoder`` in pieces and records the events.
package struct EventRecorder: ~Copyable {
    private var decoder: MessageDecoder
    private let storage: UnsafeMutableRawBufferPointer
    /// Whether payload bypasses the window wherever possible.
    private let readsDirectly: Bool
    package private(set) var events: [RecordedEvent] = []
    /// How many bytes had been fed when the last event came.
    package private(set) var fedBytes = 0

    package init(
        role: Role = .client,
        limits: Limits = Limits(),
        validatesUTF8: Bool = true,
        readsDirectly: Bool = false,
        windowSize: Int = 64 << 10
    ) {
        decoder = MessageDecoder(role: role, limits: limits, validatesUTF8: validatesUTF8)
        storage = .allocate(byteCount: windowSize, alignment: 64)
        self.readsDirectly = readsDirectly
        decoder.window.lend(storage)
    }

    deinit { storage.deallocate() }

    package var hasFailed: Bool {
        if case .violation = events.last { true } else { false }
    }

    /// Feeds one piece, as one read would.
    package mutating func feed(_ piece: some Collection<UInt8>) {
        var rest = Array(piece)[...]
        while !rest.isEmpty, !hasFailed {
            do throws(ProtocolViolation) {
                let room = decoder.directlyReadable
                if readsDirectly, room > 0 {
                    try feedDirectly(&rest)
                } else {
                    decoder.window.compact()
                    let part = rest.prefix(decoder.window.room.count)
                    decoder.window.room.copyBytes(from: part)
                    decoder.window.append(part.count)
                    rest = rest.dropFirst(part.count)
                    fedBytes += part.count
                }
                try drain()
            } catch {
                events.append(.violation(error.rule))
            }
        }
    }

    private mutating func feedDirectly(_ rest: inout ArraySlice<UInt8>) throws(ProtocolViolation) {
        let source = rest
        let count = decoder.readDirectly(upTo: rest.count) { buffer in
            let part = source.prefix(buffer.count)
            buffer.copyBytes(from: part)
            return part.count
        }
        rest = rest.dropFirst(count)
        fedBytes += count
        record(try decoder.received(directly: count))
    }

    private mutating func drain() throws(ProtocolViolation) {
        while record(try decoder.next()) {}
    }

    /// False when there is nothing to record.
    @discardableResult
    private mutating func record(_ event: DecodedEvent) -> Bool {
        switch event {
        case .needsMoreBytes: return false
        case .message(let opcode, let bytes): events.append(.message(opcode, Array(bytes)))
        case .assembledMessage(let opcode):
            events.append(.message(opcode, decoder.assembler.takeBytes()))
        case .control(let opcode, let bytes): events.append(.control(opcode, Array(bytes)))
        }
        return true
    }
}

/// The events of a stream that arrives in the given pieces.
package func events(
    of pieces: some Sequence<some Collection<UInt8>>,
    role: Role = .client,
    limits: Limits = Limits(),
    validatesUTF8: Bool = true,
    readsDirectly: Bool = false
) -> [RecordedEvent] {
    var recorder = EventRecorder(
        role: role,
        limits: limits,
        validatesUTF8: validatesUTF8,
        readsDirectly: readsDirectly
    )
    for piece in pieces { recorder.feed(piece) }
    return recorder.events
}

/// The events of a stream that arrives at once.
package func events(
    of bytes: [UInt8],
    role: Role = .client,
    limits: Limits = Limits(),
    validatesUTF8: Bool = true
) -> [RecordedEvent] {
    events(of: [bytes], role: role, limits: limits, validatesUTF8: validatesUTF8)
}
