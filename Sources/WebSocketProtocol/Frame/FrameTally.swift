/// Counts what has gone one way: plain sums, for whoever has the turn.
package struct FrameTally: Sendable, Hashable {
    /// Whole messages, counted at their last frame.
    package var messages = 0
    /// Frames that end no message: those of control, and all but the last of a message.
    package var otherFrames = 0
    /// Payload of data frames as the users of both ends see it: uncompressed.
    package var payloadBytes = 0
    /// Frames on the wire, headers included.
    package var wireBytes = 0
    package var pings = 0
    package var pongs = 0
    /// Payload that went compressed, before and after.
    package var uncompressedBytes = 0
    package var compressedBytes = 0

    package init() {}

    /// Frames of all kinds.
    package var frames: Int { messages &+ otherFrames }

    /// Counts a frame that goes as it is; `wire` is its length with its header.
    package mutating func count(_ opcode: Opcode, isFinal: Bool, payload: Int, wire: Int) {
        wireBytes &+= wire
        if !opcode.isControl { payloadBytes &+= payload }
        if isFinal, !opcode.isControl { messages &+= 1 } else { otherFrames &+= 1 }
        if opcode == .ping { pings &+= 1 }
        if opcode == .pong { pongs &+= 1 }
    }

    /// Counts whole messages in frames with headers of two bytes; `wire` is the length of all.
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

    /// Says that `compressed` bytes of payload that have been counted stand for `uncompressed` ones.
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
