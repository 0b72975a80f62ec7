import WebSocketProtocol

/// The traffic of a connection, or of all connections of an app: sums that only grow.
///
/// ```swift
/// let before = socket.statistics
/// try socket.send("hello")
/// print(socket.statistics.sent.messages - before.sent.messages)  // 1
/// ```
///
/// The sums of one direction are consistent with each other; those of the other may be slightly later.
public struct WebSocketStatistics: Sendable, Hashable {
    /// The traffic in one direction.
    public struct Direction: Sendable, Hashable {
        /// Whole messages, however many frames they had.
        public var messages = 0
        /// Bytes of messages as the programs see them: uncompressed, without headers.
        public var payloadBytes = 0
        /// Frames of all kinds, control frames included (RFC 6455 §5.2).
        public var frames = 0
        /// Bytes of frames, headers included, but without the handshake and the overhead of TLS and
        /// TCP.
        public var wireBytes = 0
        /// Pings (RFC 6455 §5.5.2).
        public var pings = 0
        /// Pongs, automatic answers to pings included (RFC 6455 §5.5.3).
        public var pongs = 0
        /// Bytes of compressed messages, before compression (RFC 7692).
        public var uncompressedBytes = 0
        /// Bytes of compressed messages, as they are on the wire.
        public var compressedBytes = 0

        /// The ratio of the two, such as 4.5; `nil` before the first compressed message.
        public var compressionRatio: Double? {
            compressedBytes > 0 ? Double(uncompressedBytes) / Double(compressedBytes) : nil
        }

        /// Makes sums of zero.
        public init() {}
    }

    /// Everything accepted for sending; the last bytes may still wait for room in the socket.
    public var sent = Direction()
    /// Everything from the peer that has been read and decoded.
    public var received = Direction()
    /// How often sending found the socket full, because the peer or the network was slower.
    public var sendWaits = 0
    /// How long the last ping that was answered took there and back; `nil` before the first one.
    public var lastRoundTrip: Duration?
    /// How many connections an app has opened in place of one that ended; zero for a single socket.
    public var reconnections = 0

    /// Makes sums of zero.
    public init() {}

    init(
        sent: Direction,
        received: Direction,
        sendWaits: Int,
        lastRoundTrip: Duration?
    ) {
        self.sent = sent
        self.received = received
        self.sendWaits = sendWaits
        self.lastRoundTrip = lastRoundTrip
    }

    /// Adds the traffic of a later connection.
    mutating func add(_ later: WebSocketStatistics) {
        sent.add(later.sent)
        received.add(later.received)
        sendWaits += later.sendWaits
        lastRoundTrip = later.lastRoundTrip ?? lastRoundTrip
        reconnections += later.reconnections
    }
}

extension WebSocketStatistics.Direction {
    init(_ tally: FrameTally) {
        messages = tally.messages
        payloadBytes = tally.payloadBytes
        frames = tally.frames
        wireBytes = tally.wireBytes
        pings = tally.pings
        pongs = tally.pongs
        uncompressedBytes = tally.uncompressedBytes
        compressedBytes = tally.compressedBytes
    }

    fileprivate mutating func add(_ later: Self) {
        messages += later.messages
        payloadBytes += later.payloadBytes
        frames += later.frames
        wireBytes += later.wireBytes
        pings += later.pings
        pongs += later.pongs
        uncompressedBytes += later.uncompressedBytes
        compressedBytes += later.compressedBytes
    }
}

extension WebSocket {
    /// The connection's traffic so far; after its end, all of it; zeros before the first connection.
    ///
    /// For any thread at any time: it never waits. The messages of a call are counted by the time it
    /// returns; a small message that was left to another thread, once that thread has taken it; and while
    /// another thread receives, once that thread reads from the socket. Connecting again starts from zero.
    public var statistics: WebSocketStatistics {
        connection?.publishCounts()
        return traffic?.statistics ?? WebSocketStatistics()
    }
}

extension WebSocketApp {
    /// The traffic of all connections of the app so far, the present one included.
    ///
    /// For any thread at any time.
    public var statistics: WebSocketStatistics {
        state.withLock { state in
            var sum = state.statistics
            if let traffic = state.traffic { sum.add(traffic.statistics) }
            return sum
        }
    }
}
