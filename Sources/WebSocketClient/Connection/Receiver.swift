import Synchronization
import WebSocketProtocol

/// Why no event could be received.
enum ReceiveFailure: Error {
    case transport(TransportError)
    case violation(ProtocolViolation)
    /// The stream ended without a close frame.
    case endOfStream
}

/// The receiving half of a connection: bytes in, frames and messages out.
///
/// Whoever has the turn reads. It keeps its buffer no longer than there is something in it.
final class Receiver: @unchecked Sendable {
    // Safe to send: `turn` guards what is `own`, `receivedBytes` is atomic, the rest is constant.
    private let stream: any ByteStream
    private let sender: Sender

    let turn = Turn()
    private let own: OwnedState<State>

    private struct State: ~Copyable {
        var decoder: MessageDecoder
        var block: Block?
        var partialFrame: Frame?
        var way = Way.messages
        var isDrained = false
        /// The last message was too large for the window, and the next one will be, perhaps: what
        /// the window gets of that would have to be copied, so let it get little.
        var followsLargeMessage = false
    }
    /// What an immediate deadline kept it from waiting for.
    private(set) var awaited: Interest = .read

    /// All bytes so far, wrapping around: a sign of life for those who don't have the turn.
    let receivedBytes = Atomic<UInt64>(0)

    /// What is read straight into a message at once: it fits the second-level cache, where the
    /// check of its text finds it.
    private static let stride = 256 << 10
    /// Below this, a message goes through the window like all others.
    private static let directThreshold = 16 << 10

    init(stream: any ByteStream, sender: Sender, decoder: consuming MessageDecoder) {
        self.stream = stream
        self.sender = sender
        own = OwnedState(State(decoder: decoder))
        if Tracing.isEnabled { self.decoder.onFragment = Tracing.receivedFragment }
    }

    var decoder: MessageDecoder {
        _read { yield own.value.decoder }
        _modify { yield &own.value.decoder }
    }
    private var partialFrame: Frame? {
        _read { yield own.value.partialFrame }
        _modify { yield &own.value.partialFrame }
    }
    /// How the message that is arriving is being received; of no meaning between messages.
    private(set) var way: Way {
        get { own.value.way }
        set { own.value.way = newValue }
    }

    /// The ways of receiving, which can't be mixed within a message.
    enum Way { case messages, frames, parts }
    /// The last read got all that had arrived, so the next one would find nothing: wait first.
    private var isDrained: Bool {
        get { own.value.isDrained }
        set { own.value.isDrained = newValue }
    }

    /// Puts bytes in front that were read together with the handshake.
    func prepend(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty else { return }
        borrow()
        decoder.window.room.copyBytes(from: bytes)
        decoder.window.append(bytes.count)
    }

    /// Waits for the next message or control frame. In turn only.
    func nextEvent(_ deadline: inout LazyDeadline) throws(ReceiveFailure) -> DecodedEvent {
        way = .messages
        while true {
            let event: DecodedEvent
            do throws(ProtocolViolation) {
                event = try decoder.next()
            } catch {
                throw .violation(error)
            }
            guard case .needsMoreBytes = event else { return traced(event) }
            if decoder.directlyReadable >= Self.directThreshold {
                let event = try readDirectly(&deadline)
                if case .needsMoreBytes = event { continue }
                return traced(event)
            }
            try fill(&deadline)
        }
    }

    @inline(__always)
    private func traced(_ event: DecodedEvent) -> DecodedEvent {
        if Tracing.isEnabled { Tracing.received(event, joined: decoder.assembler.count) }
        return event
    }

    /// Waits for the next frame, whole. In turn only.
    func nextFrame(_ deadline: inout LazyDeadline) throws(ReceiveFailure) -> Frame {
        way = .frames
        while true {
            do throws(ProtocolViolation) {
                let frame = try decoder.nextFrame(partial: &own.value.partialFrame)
                if let frame {
                    if Tracing.isEnabled { Tracing.received(frame) }
                    return frame
                }
            } catch {
                throw .violation(error)
            }
            try fill(&deadline)
        }
    }

    /// Waits for the next part of a message, or a control frame. In turn only.
    func nextPart(
        into room: UnsafeMutableRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) -> DecodedPart {
        way = .parts
        while true {
            var part: DecodedPart
            do throws(ProtocolViolation) {
                part = try decoder.nextPart(into: room)
            } catch {
                throw .violation(error)
            }
            if case .needsMoreBytes = part, decoder.directlyReadable >= Self.directThreshold {
                part = try readPartDirectly(into: room, &deadline)
            }
            switch part {
            case .needsMoreBytes: try fill(&deadline)
            case .part:
                return part
            case .control(let opcode, let payload):
                _ = traced(.control(opcode, payload))
                return part
            }
        }
    }

    private func readPartDirectly(
        into room: UnsafeMutableRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) -> DecodedPart {
        if isDrained { try wait(for: .read, &deadline) }
        let limit = min(room.count, decoder.directlyReadable, Self.stride)
        let free = UnsafeMutableRawBufferPointer(rebasing: room.prefix(limit))
        let transfer = try read(into: free, &deadline)
        guard let count = try accept(transfer, of: free.count, &deadline) else {
            return .needsMoreBytes
        }
        do throws(ProtocolViolation) {
            return try decoder.receivedPart(
                directly: UnsafeMutableRawBufferPointer(rebasing: free.prefix(count))
            )
        } catch {
            throw .violation(error)
        }
    }

    /// The way in which the message under way has to be received to its end; `nil` between messages.
    var unfinishedWay: Way? {
        if decoder.frames.isBetweenMessages, !decoder.assembler.hasRemainder { return nil }
        return way
    }

    /// Reads and drops what arrives until the peer ends the stream; false if it didn't in time.
    func discardUntilEnd(_ deadline: inout LazyDeadline) -> Bool {
        while true {
            do throws(ReceiveFailure) {
                try discard(&deadline)
            } catch {
                if case .endOfStream = error { return true }
                return false
            }
        }
    }

    /// The owner has waited: what was awaited may be there. In turn only.
    func stopAwaiting() {
        isDrained = false
    }

    /// Reads once and drops what there is. In turn only.
    func discard(_ deadline: inout LazyDeadline) throws(ReceiveFailure) {
        decoder.window.consume(decoder.window.count)
        try fill(&deadline)
        decoder.window.consume(decoder.window.count)
    }

    /// Gives the buffer back if nothing is in it. In turn only.
    func leave() {
        giveBackIfEmpty()
        turn.leave()
    }

    private func fill(_ deadline: inout LazyDeadline) throws(ReceiveFailure) {
        if isDrained {
            if try fillSoon(&deadline) { return }
            if isDrained { try wait(for: .read, &deadline) }
        }
        while true {
            borrow()
            decoder.window.compact()
            var room = decoder.window.room
            if own.value.followsLargeMessage {
                room = UnsafeMutableRawBufferPointer(rebasing: room.prefix(Self.directThreshold))
            }
            let transfer = try read(into: room, &deadline)
            if let count = try accept(transfer, of: room.count, &deadline) {
                decoder.window.append(count)
                own.value.followsLargeMessage = false
                return
            }
        }
    }

    /// Waits for a moment inside the read, without the call that would wait: an answer that is on its
    /// way is here sooner. False if nothing came so.
    private func fillSoon(_ deadline: inout LazyDeadline) throws(ReceiveFailure) -> Bool {
        guard decoder.window.isEmpty, !sender.hasUnsentBytes, deadline.leavesAMoment else {
            return false
        }
        giveBackIfEmpty()
        // On the stack, as who waits holds no block.
        var room = InlineArray<2048, UInt8>(repeating: 0)
        return try withUnsafeMutableBytes(of: &room) { room throws(ReceiveFailure) in
            let transfer: Transfer
            do throws(TransportError) {
                transfer = try stream.readSoon(into: room)
            } catch {
                throw .transport(error)
            }
            guard let count = try accept(transfer, of: room.count, &deadline) else { return false }
            prepend(room.prefix(count))
            return true
        }
    }

    private func readDirectly(
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) -> DecodedEvent {
        if isDrained { try wait(for: .read, &deadline) }
        while true {
            var transfer = Transfer.endOfStream
            var room = 0
            _ = try decoder.readDirectly(upTo: Self.stride) { (buffer) throws(ReceiveFailure) in
                room = buffer.count
                transfer = try read(into: buffer, &deadline)
                guard case .bytes(let count) = transfer else { return 0 }
                return count
            }
            guard let count = try accept(transfer, of: room, &deadline) else { continue }
            do throws(ProtocolViolation) {
                let event = try decoder.received(directly: count)
                own.value.followsLargeMessage = decoder.assembler.count > Block.size
                return event
            } catch {
                throw .violation(error)
            }
        }
    }

    private func read(
        into buffer: UnsafeMutableRawBufferPointer,
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) -> Transfer {
        // A peer that never stops sending never makes anybody wait.
        if deadline.isOver { throw .transport(.timedOut(.transfer)) }
        do throws(TransportError) {
            return try stream.read(into: buffer)
        } catch {
            throw .transport(error)
        }
    }

    /// The number of bytes that a read got; `nil` when there was nothing and it has waited.
    private func accept(
        _ transfer: Transfer,
        of room: Int,
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) -> Int? {
        switch transfer {
        case .bytes(let count):
            isDrained = !stream.mayHaveMore(afterReading: count, of: room)
            receivedBytes.wrappingAdd(UInt64(count), ordering: .relaxed)
            return count
        case .wouldBlock(let interest):
            try wait(for: interest, &deadline)
            return nil
        case .endOfStream:
            throw .endOfStream
        }
    }

    /// Waits, and sends meanwhile what a sender had to leave because the stream was full.
    private func wait(
        for interest: Interest,
        _ deadline: inout LazyDeadline
    ) throws(ReceiveFailure) {
        giveBackIfEmpty()
        if deadline.isImmediate {
            awaited = interest
            throw .transport(.timedOut(.transfer))
        }
        do throws(TransportError) {
            var ready = Interest()
            while ready.isDisjoint(with: interest) {
                // A sender that leaves some later nudges the stream, to be asked again.
                let isUnsent = sender.needsWriting
                let awaited = isUnsent ? interest.union(.write) : interest
                ready = try stream.wait(for: awaited, until: deadline.value)
                if isUnsent, ready.contains(.write) { sender.flushWithoutWaiting() }
            }
        } catch {
            throw .transport(error)
        }
        isDrained = false
    }

    private func borrow() {
        guard !decoder.window.isLent else { return }
        let block = Block.borrow()
        decoder.window.lend(block.bytes)
        if !decoder.assembler.hasSpare {
            decoder.assembler.borrowSpare(from: &block.textStorage)
        }
        own.value.block = consume block
    }

    private func giveBackIfEmpty() {
        guard decoder.window.isEmpty, decoder.window.isLent || decoder.assembler.hasSpare else {
            return
        }
        let block = own.value.block.take() ?? Block.borrow()
        if decoder.assembler.hasSpare {
            decoder.assembler.returnSpare(to: &block.textStorage)
        }
        _ = decoder.window.takeBack()
        Block.giveBack(block)
    }
}
