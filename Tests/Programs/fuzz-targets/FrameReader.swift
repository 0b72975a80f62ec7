import WebSocketProtocol

/// The client's ways of receiving, over bytes that are all in memory.
struct FrameReader: ~Copyable {
    private var decoder: MessageDecoder
    private let storage: UnsafeMutableRawBufferPointer
    private var events: [FrameEvent] = []

    /// A header and the longest control frame, and a little more.
    private static let windowSize = 160

    private init(_ setup: FrameSetup, windowSize: Int) {
        decoder = setup.decoder()
        storage = .allocate(byteCount: windowSize, alignment: 64)
        decoder.window.lend(storage)
    }

    deinit { storage.deallocate() }

    /// Whole messages.
    static func messages(
        of bytes: [UInt8],
        _ sizes: PieceSizes,
        _ setup: FrameSetup,
        readsDirectly: Bool = false
    ) throws(Finding) -> [FrameEvent] {
        var reader = FrameReader(setup, windowSize: max(windowSize, min(sizes.first, bytes.count)))
        do throws(ProtocolViolation) {
            for piece in sizes.pieces(of: bytes) {
                var rest = piece
                while !rest.isEmpty {
                    if readsDirectly, reader.decoder.directlyReadable > 0 {
                        try reader.readDirectly(&rest)
                    } else {
                        reader.fill(&rest)
                    }
                    while reader.record(try reader.decoder.next()) {}
                }
            }
        } catch {
            reader.events.append(.violation(error))
        }
        return reader.events
    }

    /// Messages in parts of `roomSize` at most.
    static func parts(
        of bytes: [UInt8],
        _ sizes: PieceSizes,
        _ setup: FrameSetup,
        roomSize: Int
    ) throws(Finding) -> [FrameEvent] {
        var reader = FrameReader(setup, windowSize: windowSize)
        var message: [UInt8] = []
        var room = [UInt8](repeating: 0, count: roomSize)
        do throws(ProtocolViolation) {
            for piece in sizes.pieces(of: bytes) {
                var rest = piece
                while !rest.isEmpty {
                    if reader.decoder.directlyReadable > 0 {
                        _ = try reader.readPartDirectly(&rest, &room, &message)
                    } else {
                        reader.fill(&rest)
                    }
                    while try reader.nextPart(&room, &message) {}
                }
            }
        } catch {
            reader.events.append(.violation(error))
        }
        return reader.events
    }

    /// Whole frames, which are joined afterwards, and their encoded bytes.
    static func frames(
        of bytes: [UInt8],
        _ sizes: PieceSizes,
        _ setup: FrameSetup
    ) throws(Finding) -> (events: [FrameEvent], bytes: [UInt8]) {
        var reader = FrameReader(setup, windowSize: windowSize)
        var encoded: [UInt8] = []
        var partial: Frame?
        do throws(ProtocolViolation) {
            for piece in sizes.pieces(of: bytes) {
                var rest = piece
                while !rest.isEmpty {
                    reader.fill(&rest)
                    while let frame = try reader.decoder.nextFrame(partial: &partial) {
                        encoded += frame.wireBytes
                        if frame.opcode.isControl {
                            reader.events.append(.control(frame.opcode, frame.payload))
                        } else if try reader.decoder.join(frame) {
                            reader.record(.assembledMessage(reader.decoder.assembler.messageOpcode))
                        }
                    }
                }
            }
        } catch {
            reader.events.append(.violation(error))
        }
        return (reader.events, encoded)
    }

    private mutating func fill(_ rest: inout ArraySlice<UInt8>) {
        decoder.window.compact()
        let part = rest.prefix(decoder.window.room.count)
        decoder.window.room.copyBytes(from: part)
        decoder.window.append(part.count)
        rest = rest.dropFirst(part.count)
    }

    private mutating func readDirectly(
        _ rest: inout ArraySlice<UInt8>
    ) throws(ProtocolViolation) {
        let source = rest
        let count = decoder.readDirectly(upTo: rest.count) { buffer in
            let part = source.prefix(buffer.count)
            buffer.copyBytes(from: part)
            return part.count
        }
        rest = rest.dropFirst(count)
        record(try decoder.received(directly: count))
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

    private mutating func nextPart(
        _ room: inout [UInt8],
        _ message: inout [UInt8]
    ) throws(ProtocolViolation) -> Bool {
        let part = room.withUnsafeMutableBytes { room in
            Result { () throws(ProtocolViolation) in try decoder.nextPart(into: room) }
        }
        return record(try part.get(), room, &message)
    }

    private mutating func readPartDirectly(
        _ rest: inout ArraySlice<UInt8>,
        _ room: inout [UInt8],
        _ message: inout [UInt8]
    ) throws(ProtocolViolation) -> Bool {
        let count = min(room.count, decoder.directlyReadable, rest.count)
        room.replaceSubrange(..<count, with: rest.prefix(count))
        rest = rest.dropFirst(count)
        let part = room.withUnsafeMutableBytes { room in
            Result { () throws(ProtocolViolation) in
                try decoder.receivedPart(
                    directly: UnsafeMutableRawBufferPointer(rebasing: room[..<count])
                )
            }
        }
        return record(try part.get(), room, &message)
    }

    private mutating func record(
        _ part: DecodedPart,
        _ room: [UInt8],
        _ message: inout [UInt8]
    ) -> Bool {
        switch part {
        case .needsMoreBytes: return false
        case .control(let opcode, let bytes): events.append(.control(opcode, Array(bytes)))
        case .part(let opcode, let count, let isLast):
            message += room[..<count]
            guard isLast else { return true }
            events.append(.message(opcode, message))
            message = []
        }
        return true
    }
}

extension Frame {
    /// The frame as a server sends it.
    fileprivate var wireBytes: [UInt8] {
        let header = FrameHeader(
            isFinal: isFinal,
            reservedBits: reservedBits,
            opcode: opcode,
            maskingKey: nil,
            payloadLength: payload.count
        )
        return [UInt8](unsafeUninitializedCapacity: FrameHeader.maximumLength) { bytes, count in
            if let base = bytes.baseAddress { count = header.encode(into: base) }
        } + payload
    }
}
