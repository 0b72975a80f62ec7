import WebSocketAccel
import WebSocketProtocol

// Compression on the way out, RFC 7692 §7.2.1.
extension Outbox {
    /// With less room in the block than this, a compressed message begins in the next one.
    private static let minimumCompressionRoom = 4 << 10

    /// Compresses a message straight into the block; what fills the block goes as a fragment.
    mutating func appendCompressed(
        _ frame: OutgoingFrame,
        _ deadline: inout LazyDeadline
    ) throws(SendFailure) {
        if frame.needsUTF8Check { try Self.check(frame.payload) }
        let base = borrow()
        var rest = frame.payload
        var opcode = frame.opcode
        var isAccepted = false
        while true {
            if Block.size - end < Self.minimumCompressionRoom {
                do throws(SendFailure) {
                    try flush(&deadline, isAccepted: isAccepted)
                } catch {
                    if isAccepted { try spillCompressed(rest) }
                    throw error
                }
            }
            let room = UnsafeMutableRawBufferPointer(start: base + end, count: Block.size - end)
            let key = masks ? try nextKey() : nil
            let (consumed, written, isComplete) = try compress(
                rest,
                opcode: opcode,
                key: key,
                into: room
            )
            end += written
            if isComplete { return }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(consumed))
            opcode = .continuation
            isAccepted = true
        }
    }

    /// Makes one frame of as much as fits: the room for its header is guessed, and the payload moved
    /// down where the header came out shorter.
    private mutating func compress(
        _ input: UnsafeRawBufferPointer,
        opcode: Opcode,
        key: UInt32?,
        into room: UnsafeMutableRawBufferPointer
    ) throws(SendFailure) -> (consumed: Int, written: Int, isComplete: Bool) {
        guard let base = room.baseAddress else { throw .compression }
        let guess = FrameHeader.maximumLength
        let output = UnsafeMutableRawBufferPointer(rebasing: room[guess...])
        let result: DeflateProgress?
        do throws(DeflateFailure) {
            result = try deflater?.compress(input, ending: .message, into: output)
        } catch {
            throw .compression
        }
        guard let progress = result else { throw .compression }
        let header = FrameHeader(
            isFinal: progress.isComplete,
            reservedBits: opcode == .continuation ? 0 : 4,
            opcode: opcode,
            maskingKey: key,
            payloadLength: progress.produced
        )
        let length = header.encode(into: base)
        if length < guess {
            (base + length).copyMemory(from: base + guess, byteCount: progress.produced)
        }
        if let key {
            let payload = UnsafeMutableRawBufferPointer(
                start: base + length,
                count: progress.produced
            )
            Kernels.mask(payload, key: key)
        }
        return (progress.consumed, length + progress.produced, progress.isComplete)
    }

    /// Keeps the rest of a compressed message whose first part is on its way.
    private mutating func spillCompressed(_ rest: UnsafeRawBufferPointer) throws(SendFailure) {
        var rest = rest
        // Dropped and not given back if an error is thrown, which memory alone can be short for.
        let block = Block.borrow()
        var isComplete = false
        while !isComplete {
            let key = masks ? try nextKey(from: &block.keys) : nil
            let result = try compress(rest, opcode: .continuation, key: key, into: block.bytes)
            spilled.append(contentsOf: block.bytes.prefix(result.written))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(result.consumed))
            isComplete = result.isComplete
        }
        Block.giveBack(block)
    }
}
