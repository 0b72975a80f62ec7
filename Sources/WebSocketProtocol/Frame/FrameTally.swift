/// The traffic in one direction: plain sums, for the holder of the turn.
package struct FrameTally: Sendable, Hashable {
    /// Whole messages, counted at their last frame.
    package var messages = 0
    /// Frames that don't end a message: control frames, and all but the last of a message.
    package var otherFrames = 0
    /// Payload of data frames as the programs see it: uncompressed.
    package var payloadBytes = 0
    /// Frames on the wire, headers included.
    package var wireBytes = 0
    package var pings = 0
    package var pongs = 0
    /// Payload of compressed messages, before and after compression.
    package var uncompressedBytes = 0
    package var compressedBytes = 0

    package init() {}

    /// Frames of all kinds.
    package var frames: Int { messages &+ otherFrames }

    /// Counts an uncompressed frame; `wire` is its length, header included.
    package mutating func count(_ opcode: Opcode, isFinal: Bool, payload: Int, wire: Int) {
        wireBytes &+= wire
        if !opcode.isControl { payloadBytes &+= payload }
        if isFinal, !opcode.isControl { messages &+= 1 } else { otherFrames &+= 1 }
        if opcode == .ping { pings &+= 1 }
        if opcode == .pong { pongs &+= 1 }
    }

    /// Counts messages of one frame each, with headers of two bytes; `wire` is their total length.
    package mutating func count(small messages: Int, wire: Int) {
        self.messages &+= messages
        wireBytes &+= wire
        payloadBytes &+= wire &- 2 &* messages
    }

    /// Takes back a data frame that won't go out.
    package mutating func uncount(isFinal: Bool, payload: Int, wire: Int) {
        wireBytes &-= wire
        payloadBytes &-= payload
        if isFinal { messages &-= 1 } else { otherFrames &-= 1 }
    }

    /// Notes that `compressed` bytes of the counted payload stand for `uncompressed` bytes.
    package mutating func expand(_ compressed: Int, to uncompressed: Int) {
        payloadBytes &+= uncompressed &- compressed
        compressedBytes &+= compressed
        uncompressedBytes &+= uncompressed
    }

    package mutating func add(_ other: FrameTally) {
        messages &+= other.messages
        otherFrames &+= other.otherFrames
        payloadBytes &+= other.payloadBytes
        wireBytes &+= other.wireBytes
        pings &+= other.pings
        pongs &+= other.pongs
        uncompressedBytes &+= other.uncompressedBytes
        compressedBytes &+= other.compressedBytes
    }
}
