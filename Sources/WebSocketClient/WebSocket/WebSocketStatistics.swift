import WebSocketProtocol

/// What has gone over a connection, or over all connections of an app: sums that only grow.
///
/// ```swift
/// let before = socket.statistics
/// try socket.send("hello")
/// print(socket.statistics.sent.messages - before.sent.messages)  // 1
/// ```
///
/// The sums of one direction are of one moment; those of the other may be of a moment later.
public struct WebSocketStatistics: Sendable, Hashable {
    /// What has gone one way.
    public struct Direction: Sendable, Hashable {
        /// Whole messages, however many frames they had.
        public var messages = 0
        /// Bytes of messages, as the programs at both ends see them: uncompressed, without headers.
        public var payloadBytes = 0
        /// Frames of all kinds, those of control included (RFC 6455 §5.2).
        public var frames = 0
        /// Bytes of frames, headers included; what TLS and TCP add isn't in it, nor is the handshake.
        public var wireBytes = 0
        /// Pings (RFC 6455 §5.5.2).
        public var pings = 0
        /// Pongs, those that answer pings by themselves included (RFC 6455 §5.5.3).
        public var pongs = 0
        /// Bytes of the messages that went compressed, before compression (RFC 7692).
        public var uncompressedBytes = 0
        /// The same after compression, as they are on the wire.
        public var compressedBytes = 0

        /// How many times as long compressed messages are without compression, such as 4.5; `nil` before
        /// the first one.
        public var compressionRatio: Double? {
            compressedBytes > 0 ? Double(uncompressedBytes) / Double(compressedBytes) : nil
        }

        /// Makes sums of nothing.
        public init() {}
    }

    /// What this end has sent: what has been accepted for sending, of which the last bytes may still wait
    /// for room in the socket.
    public var sent = Direction()
    /// What the peer has sent, as far as it has been read and decoded.
    public var received = Direction()
    /// How often sending found the socket full, because the peer or the network was slower.
    public var sendWaits = 0
    /// How long the last ping that was answered took there and back; `nil` before the first one.
    public var lastRoundTrip: Duration?
    /// How many connections an app has opened in place of one that ended; zero for a single socket.
    public var reconnections = 0

    /// Makes sums of nothing.
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

    /// Adds what has gone over a later connection.
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
    /// What has gone over the connection so far; after its end, what had; zeros before the first.
    ///
    /// For any thread at any time: it waits for nobody. What a call has sent or received is counted when the
    /// call returns; a small message that was left to another thread, when that has taken it over; while
    /// another thread receives, when that next reads from the socket. Connecting again begins anew.
    public var statistics: WebSocketStatistics {
        connection?.publishCounts()
        return traffic?.statistics ?? WebSocketStatistics()
    }
}

extension WebSocketApp {
    /// What has gone over all connections of the app so far, the present one included.
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
