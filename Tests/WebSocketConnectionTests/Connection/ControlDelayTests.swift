import Synchronization
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketClient

// The stream has no socket that would show a rate, so fragments keep the size of the beginning, 16 KiB.
@Suite("Control frames between the fragments of a message", .blocking)
struct ControlDelayTests {
    private static let fragment = 16 << 10

    /// A frame as it left, unmasked.
    private struct Sent {
        var opcode: Opcode
        var isFinal: Bool
        var reservedBits: UInt8
        var payload: [UInt8]
        var key: UInt32?
    }

    private func makeSender(
        _ stream: ScriptedStream,
        role: Role = .client,
        deflater: consuming Deflater? = nil
    ) -> Sender {
        Sender(
            stream: stream,
            role: role,
            makeMaskingKey: nil,
            deflater: deflater,
            maximumControlDelay: .milliseconds(20)
        )
    }

    private func frames(_ stream: ScriptedStream, role: Role = .client) throws -> [Sent] {
        let bytes = stream.taken
        var frames: [Sent] = []
        var position = 0
        while position < bytes.count {
            let (header, length) = try #require(
                try bytes[position...].withUnsafeBytes {
                    try FrameHeader.decode($0, role: role == .client ? .server : .client)
                }.map { ($0.header, $0.length) }
            )
            let start = position + length
            position = start + header.payloadLength
            try #require(position <= bytes.count, "a frame is cut")
            var payload = Array(bytes[start..<position])
            if let key = header.maskingKey {
                withUnsafeBytes(of: key) { key in
                    for index in payload.indices { payload[index] ^= key[index % 4] }
                }
            }
            frames.append(
                Sent(
                    opcode: header.opcode,
                    isFinal: header.isFinal,
                    reservedBits: header.reservedBits,
                    payload: payload,
                    key: header.maskingKey
                )
            )
        }
        return frames
    }

    /// The messages that the frames make up; fails if the frames break RFC 6455 §5.4.
    private func messages(_ frames: [Sent]) throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var open: [UInt8]?
        for frame in frames where !frame.opcode.isControl {
            #expect((frame.opcode == .continuation) == (open != nil))
            let bytes = (open ?? []) + frame.payload
            open = frame.isFinal ? nil : bytes
            if frame.isFinal { messages.append(bytes) }
        }
        #expect(open == nil, "the last message is complete")
        return messages
    }

    private func noise(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(state: 7)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private func send(
        _ payload: [UInt8],
        _ opcode: Opcode = .binary,
        compression: MessageCompression = .automatic,
        by sender: Sender,
        timeout: Duration? = .ample
    ) throws(SendFailure) {
        try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
            try sender.send(
                OutgoingFrame(opcode: opcode, payload: bytes, compression: compression),
                timeout: timeout
            )
        }
    }

    private func append(_ payload: [UInt8], to writer: inout FrameWriter) throws(SendFailure) {
        try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
            try writer.append(OutgoingFrame(opcode: .binary, payload: bytes))
        }
    }

    private func sendPong(_ payload: [UInt8] = [1], by sender: Sender) throws(SendFailure) {
        try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
            try sender.sendWithoutWaiting(OutgoingFrame(opcode: .pong, payload: bytes))
        }
    }

    /// How a message is handed to the sender.
    enum Way: CaseIterable { case copied, consumed, batched, server, compressed, compressedBatch }

    private func send(_ payload: [UInt8], way: Way, by sender: Sender, timeout: Duration?)
        throws(SendFailure)
    {
        switch way {
        case .copied, .server, .compressed: try send(payload, by: sender, timeout: timeout)
        case .consumed:
            var copy = payload
            copy[0] = payload[0]
            try sender.send(consuming: consume copy, timeout: timeout)
        case .batched, .compressedBatch:
            var writer = try sender.writer(timeout: timeout)
            defer { writer.finish() }
            try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                try writer.append(OutgoingFrame(opcode: .binary, payload: bytes))
            }
            try writer.flush()
        }
    }

    private func makeSender(_ stream: ScriptedStream, for way: Way) -> Sender {
        let isCompressed = way == .compressed || way == .compressedBatch
        return makeSender(
            stream,
            role: way == .server ? .server : .client,
            deflater: isCompressed
                ? Deflater(windowBits: 15, noContextTakeover: false, options: DeflateOptions())
                : nil
        )
    }

    private func inflated(_ messages: [[UInt8]], _ way: Way) throws -> [[UInt8]] {
        guard way == .compressed || way == .compressedBatch else { return messages }
        var inflater = Inflater(
            windowBits: 15,
            noContextTakeover: false,
            maximumMessageBytes: .max,
            maximumRatio: .max
        )
        return try messages.map { message in
            var output = [UInt8](repeating: 0, count: 1 << 20)
            let progress = try message.withUnsafeBytes { input in
                try output.withUnsafeMutableBytes { output in
                    try inflater.inflate(input, endsMessage: true, into: output)
                }
            }
            #expect(progress.isComplete)
            return Array(output[..<progress.produced])
        }
    }

    @Test("A pong passes a message whose peer reads slowly", arguments: Way.allCases)
    func pong(way: Way) throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream, for: way)
        let payload = noise(200_000)
        stream.setRoom(40_000)
        let thread = Background {
            sendFailure { () throws(SendFailure) in
                try send(payload, way: way, by: sender, timeout: .ample)
            }
        }
        stream.awaitWaiter()
        try sendPong(by: sender)
        stream.setRoom(.max)
        #expect(try thread.join() == nil)
        let frames = try frames(stream, role: way == .server ? .server : .client)
        let before = try #require(frames.firstIndex { $0.opcode == .pong })
        let bytesBefore = frames[..<before].reduce(0) { $0 + $1.payload.count }
        #expect((20_000...40_000 + Self.fragment).contains(bytesBefore), "\(bytesBefore)")
        #expect(try inflated(messages(frames), way) == [payload])
        #expect(frames.allSatisfy { $0.payload.count <= Self.fragment })
        let keys = Set(frames.compactMap(\.key))
        #expect(keys.count == (way == .server ? 0 : frames.count), "each fragment has a new mask")
        if way == .compressed || way == .compressedBatch {
            #expect(frames.map(\.reservedBits) == [4] + frames.dropFirst().map { _ in 0 })
        }
        #expect(sender.traffic.sent.tally.messages == 1)
        #expect(sender.traffic.sent.tally.payloadBytes == payload.count)
    }

    @Test(
        "A message that time-out interrupts goes out whole, and a pong passes it",
        arguments: Way.allCases
    )
    func timeout(way: Way) throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream, for: way)
        let payload = noise(200_000)
        stream.setRoom(40_000)
        let failure = sendFailure { () throws(SendFailure) in
            try send(payload, way: way, by: sender, timeout: .milliseconds(1))
        }
        guard case .transport(.timedOut, isAccepted: true)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(sender.hasUnsentBytes)
        try sendPong(by: sender)
        stream.setRoom(.max)
        try send([1, 2, 3], compression: .never, by: sender)
        let frames = try frames(stream, role: way == .server ? .server : .client)
        let before = try #require(frames.firstIndex { $0.opcode == .pong })
        let bytesBefore = frames[..<before].reduce(0) { $0 + $1.payload.count }
        #expect((20_000...40_000 + Self.fragment).contains(bytesBefore), "\(bytesBefore)")
        let messages = try messages(frames)
        #expect(try inflated([messages[0]], way) == [payload])
        #expect(messages.dropFirst() == [[1, 2, 3]])
        #expect(!sender.hasUnsentBytes)
        #expect(sender.writtenBytes == sender.ledger.writtenBytes)
    }

    @Test("Where a message ends that time-out interrupted is known before its last fragments are")
    func positions() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let payload = noise(200_000)
        stream.setRoom(40_000)
        var position: StreamPosition?
        let failure = sendFailure { () throws(SendFailure) in
            try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                try sender.send(
                    OutgoingFrame(opcode: .binary, payload: bytes),
                    timeout: .zero,
                    endingAt: &position
                )
            }
        }
        #expect(failure != nil)
        let end = try #require(position)
        try sendPong(by: sender)
        // Byte by byte it comes to its end, neither early nor late.
        var taken = 40_000
        while !sender.hasWritten(end), taken < 300_000 {
            stream.setRoom(1_000)
            sender.flushWithoutWaiting()
            taken += 1_000
            #expect(sender.writtenBytes &+ sender.ledger.insertedBytes <= UInt64(taken))
        }
        #expect(sender.writtenBytes == end)
        #expect(!sender.hasUnsentBytes)
        let frames = try frames(stream)
        #expect(try messages(frames) == [payload])
        #expect(UInt64(stream.taken.count) == end + sender.ledger.insertedBytes)
        #expect(frames.contains { $0.opcode == .pong })
    }

    @Test("A close frame passes a message, which then fails, as do those behind it")
    func close() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        stream.setRoom(40_000)
        let large = Background {
            sendFailure { () throws(SendFailure) in try sender.send(200_000, timeout: .ample) }
        }
        stream.awaitWaiter()
        let small = Background {
            sendFailure { () throws(SendFailure) in try sender.send(10, timeout: .ample) }
        }
        try sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {}
        stream.setRoom(.max)
        for thread in [large, small] {
            guard case .closing? = try thread.join() else {
                Issue.record("it should hear of the close frame")
                continue
            }
        }
        let frames = try frames(stream)
        #expect(frames.last?.opcode == .close)
        #expect(frames.dropLast().allSatisfy { !$0.isFinal })
        #expect(frames.reduce(0) { $0 + $1.payload.count } < 40_000 + 2 * Self.fragment)
        #expect(!sender.hasUnsentBytes)
    }

    @Test("Another thread's accepted message goes out, although a close frame passes")
    func acceptedMeanwhile() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let isFirst = Atomic(true)
        let small = Promise<SendFailure?>()
        // While the first fragment is written, another thread sends a message, and then the close frame.
        stream.beforeWrite.withLock {
            $0 = {
                guard isFirst.exchange(false, ordering: .relaxed) else { return }
                let other = Background {
                    let failure = sendFailure { () throws(SendFailure) in
                        try sender.send(10, timeout: .zero)
                    }
                    try sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {}
                    return failure
                }
                small.fulfil(with: other.join)
            }
        }
        defer { stream.beforeWrite.withLock { $0 = nil } }
        let large = sendFailure { () throws(SendFailure) in try sender.send(200_000) }
        guard case .closing? = large else {
            Issue.record("\(String(describing: large))")
            return
        }
        let frames = try frames(stream)
        #expect(frames.last?.opcode == .close)
        switch try small.value() {
        case nil: #expect(frames.contains { $0.payload.count == 10 }, "it was lost silently")
        case .transport(.timedOut, isAccepted: false): break
        case let failure: Issue.record("\(String(describing: failure))")
        }
        #expect(sender.unsentMessages == 1, "the large one")
    }

    @Test("Messages that are queued already go out before one that is cut")
    func queuedBefore() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        // As if another thread came while this one prepares its message.
        #expect(sender.turn.tryTake())
        let other = Background { try sender.send(10) }
        try other.join()
        stream.beforeWrite.withLock {
            $0 = { try? sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {} }
        }
        defer { stream.beforeWrite.withLock { $0 = nil } }
        let payload = noise(200_000)
        let large = payload.withUnsafeBytes { bytes in
            sendFailure { () throws(SendFailure) in
                var deadline = LazyDeadline(.ample)
                defer { sender.leave(&deadline) }
                try sender.put(OutgoingFrame(opcode: .binary, payload: bytes), &deadline)
            }
        }
        guard case .closing? = large else {
            Issue.record("\(String(describing: large))")
            return
        }
        #expect(try frames(stream).map(\.payload.count) == [10, 2])
    }

    @Test("A batch that time-out leaves behind a message goes out behind its last fragment")
    func batchBehind() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let payload = noise(200_000)
        stream.setRoom(40_000)
        let cut = sendFailure { () throws(SendFailure) in
            try send(payload, by: sender, timeout: .zero)
        }
        #expect(cut != nil)
        var writer = try sender.writer(timeout: .zero)
        try append([1], to: &writer)
        try append([2], to: &writer)
        #expect(throws: SendFailure.self) { try writer.flush() }
        try sendPong(by: sender)
        stream.setRoom(.max)
        try send([3], by: sender)
        #expect(writer.abandon() == 0)
        writer.finish()
        let frames = try frames(stream)
        #expect(try messages(frames) == [payload, [1], [2], [3]])
        #expect(frames.contains { $0.opcode == .pong })
        #expect(sender.writtenBytes &+ sender.ledger.insertedBytes == UInt64(stream.taken.count))
    }

    @Test("Accepted messages that a close frame overtakes are counted")
    func overtaken() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        stream.setRoom(40_000)
        let cut = sendFailure { () throws(SendFailure) in try sender.send(200_000, timeout: .zero) }
        #expect(cut != nil)
        var writer = try sender.writer(timeout: .zero)
        try append([1], to: &writer)
        try append([2], to: &writer)
        #expect(throws: SendFailure.self) { try writer.flush() }
        #expect(sender.unsentMessages == 0)
        try sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {}
        stream.setRoom(.max)
        // First the rest of a fragment.
        for _ in 0..<2 { sender.flushWithoutWaiting() }
        #expect(try frames(stream).last?.opcode == .close)
        #expect(!sender.hasUnsentBytes)
        #expect(sender.unsentMessages == 3)
        writer.finish()
    }

    @Test("The close frame's bytes don't count as those of the message that it overtakes")
    func overtakenPosition() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        // The close frame is longer than what is left.
        let payload = noise(2 * Self.fragment + 1)
        var position: StreamPosition?
        let cut = sendFailure { () throws(SendFailure) in
            try payload.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                let frame = OutgoingFrame(opcode: .binary, payload: bytes)
                try sender.send(frame, timeout: .zero, endingAt: &position)
            }
        }
        #expect(cut != nil)
        let end = try #require(position)
        try sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {}
        sender.flushWithoutWaiting()
        let counts = try frames(stream).map(\.payload.count)
        #expect(counts == [Self.fragment, Self.fragment, 2])
        #expect(!sender.hasWritten(end))
        #expect(sender.unsentMessages == 1)
        #expect(!sender.hasUnsentBytes)
    }

    @Test("A close frame passes what a time-out has left of a message")
    func closeAfterTimeout() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        stream.setRoom(40_000)
        #expect(
            sendFailure { () throws(SendFailure) in try sender.send(200_000, timeout: .zero) }
                != nil
        )
        try sender.sendCloseWithoutWaiting(ClosePayload(code: .normalClosure)) {}
        stream.setRoom(.max)
        sender.flushWithoutWaiting()
        let frames = try frames(stream)
        #expect(frames.last?.opcode == .close)
        #expect(frames.dropLast().allSatisfy { !$0.isFinal })
        guard
            case .closing? = sendFailure({ () throws(SendFailure) in
                try sender.send(1, timeout: .ample)
            })
        else {
            Issue.record("nothing may follow a close frame")
            return
        }
    }

    @Test("A message that goes out in time goes as one frame")
    func small() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        try sender.send(Self.fragment)
        try sender.send(1)
        let frames = try frames(stream)
        #expect(frames.map(\.payload.count) == [Self.fragment, 1])
        #expect(frames.allSatisfy { $0.isFinal })
    }

    @Test("A batch of small messages is written in portions, between which control frames pass")
    func batch() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let message = noise(1_000)
        var writer = try sender.writer(timeout: .ample)
        for _ in 0..<100 {
            try message.span.bytes.withUnsafeBytes { bytes throws(SendFailure) in
                try writer.append(OutgoingFrame(opcode: .binary, payload: bytes))
            }
        }
        try writer.flush()
        writer.finish()
        #expect(stream.writes >= 100 * 1_000 / Self.fragment)
        #expect(try messages(frames(stream)) == Array(repeating: message, count: 100))
    }

    @Test("Text may be cut within characters, and is checked before the first fragment")
    func text() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let text = Array(String(repeating: "a€", count: 30_000).utf8)
        try send(text, .text, by: sender)
        let frames = try frames(stream)
        #expect(frames.count > 5)
        #expect(frames.first?.opcode == .text)
        #expect(try messages(frames) == [text])
        let count = stream.taken.count
        let failure = (text + [0xFF]).withUnsafeBytes { bytes in
            sendFailure { () throws(SendFailure) in
                let frame = OutgoingFrame(opcode: .text, payload: bytes, needsUTF8Check: true)
                try sender.send(frame, timeout: .ample)
            }
        }
        guard case .invalidUTF8(offset: text.count)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(stream.taken.count == count)
    }

    @Test("What the user's fragments say stays, and frames with other reserved bits go whole")
    func frames() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream)
        let payload = noise(40_000)
        for (opcode, isFinal, bits) in [
            (Opcode.binary, false, UInt8(0)), (.continuation, true, 0), (.binary, true, 2),
        ] {
            let failure = payload.withUnsafeBytes { bytes in
                sendFailure { () throws(SendFailure) in
                    var frame = OutgoingFrame(opcode: opcode, payload: bytes, isFinal: isFinal)
                    frame.reservedBits = bits
                    try sender.send(frame, timeout: .ample)
                }
            }
            #expect(failure == nil)
        }
        var bytes = stream.taken
        // The decoder of a peer without extensions would refuse the last frame.
        let last = bytes.count - FrameHeader.frameLength(payload: 40_000, isMasked: true)
        #expect(bytes[last] == 0xA2)
        bytes.removeSubrange(last...)
        let decoded = ScriptedStream()
        _ = try bytes.withUnsafeBytes { try decoded.write($0) }
        let frames = try self.frames(decoded)
        #expect(frames.map(\.isFinal) == [false, false, false, false, false, true])
        #expect(try messages(frames) == [payload + payload])
    }

    @Test("A prepared message that is compressed has its bit on the first fragment only")
    func prepared() throws {
        let stream = ScriptedStream()
        let sender = makeSender(stream, for: .compressed)
        let payload = noise(100_000)
        let message = PreparedMessage(binary: payload, compression: .always)
        let choice = DeflateChoice(windowBits: 15, options: DeflateOptions())
        try message.withFrame(for: choice) { (frame) throws(SendFailure) in
            try sender.send(frame, timeout: .ample)
        }
        let frames = try frames(stream)
        #expect(frames.count > 6)
        #expect(frames.map(\.reservedBits) == [4] + frames.dropFirst().map { _ in 0 })
        #expect(try inflated(messages(frames), .compressed) == [payload])
        #expect(sender.traffic.sent.tally.uncompressedBytes == payload.count)
    }
}
