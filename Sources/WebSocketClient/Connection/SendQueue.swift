import WebSocketAccel
import WebSocketProtocol

/// Encoded frames that wait for the sender whose turn it is; control frames overtake messages.
struct SendQueue {
    enum Outcome { case queued, full, closed }

    /// The parts of the queue, in the order in which they leave.
    enum Kind: CaseIterable { case control, messages }

    /// How many bytes of messages may wait; beyond that, senders wait themselves.
    private static let maximumBytes = 1 << 20
    private static let maximumControlBytes = 16 << 10
    /// Storage kept for the next use.
    static let keptCapacity = 256 << 10

    private var control: [UInt8] = []
    private var messages: [UInt8] = []
    var isClosed = false

    var count: Int { control.count + messages.count }

    mutating func append(_ frame: OutgoingFrame, maskingKey: UInt32?) -> Outcome {
        guard !isClosed else { return .closed }
        let header = header(of: frame, maskingKey: maskingKey)
        if frame.opcode.isControl {
            guard control.count <= Self.maximumControlBytes else { return .full }
            Self.encode(header, frame.payload, into: &control)
        } else {
            guard messages.count < Self.maximumBytes else { return .full }
            Self.encode(header, frame.payload, into: &messages)
        }
        return .queued
    }

    /// Adds the last frame behind all others; false if there has been one.
    mutating func appendLast(_ frame: OutgoingFrame, maskingKey: UInt32?) -> Bool {
        guard !isClosed else { return false }
        isClosed = true
        Self.encode(header(of: frame, maskingKey: maskingKey), frame.payload, into: &messages)
        return true
    }

    /// Moves the frames of one kind into an empty array; the arrays change places, so that their
    /// storage is used again.
    mutating func take(_ kind: Kind, _ bytes: inout [UInt8]) {
        switch kind {
        case .control: swap(&control, &bytes)
        case .messages: swap(&messages, &bytes)
        }
    }

    private func header(of frame: OutgoingFrame, maskingKey: UInt32?) -> FrameHeader {
        FrameHeader(
            isFinal: frame.isFinal,
            reservedBits: frame.reservedBits,
            opcode: frame.opcode,
            maskingKey: maskingKey,
            payloadLength: frame.payload.count
        )
    }

    private static func encode(
        _ header: FrameHeader,
        _ payload: UnsafeRawBufferPointer,
        into bytes: inout [UInt8]
    ) {
        bytes.append(addingCapacity: FrameHeader.maximumLength + payload.count) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                guard let base = buffer.baseAddress else { return }
                let start = UnsafeMutableRawPointer(base + count)
                let length = header.encode(into: start)
                Kernels.copyMasked(from: payload, to: start + length, key: header.maskingKey ?? 0)
                count += length + payload.count
            }
        }
    }
}
