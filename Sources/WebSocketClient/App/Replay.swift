/// What a ``WebSocketApp`` keeps of what it sends, to send it again after its connection has dropped.
///
/// ```swift
/// let app = WebSocketApp(url: "wss://example.com/ingest")
/// app.replay = .unacknowledged(limit: 16 << 20)
/// app.reconnection = .exponentialBackoff()
/// ```
///
/// **At least once.** A message that the app's calls have accepted is kept until the peer has acknowledged it.
/// When a connection drops, what hasn't been acknowledged goes out again on the next one, in order, after
/// ``WebSocketApp/onOpen`` (or ``WebSocketApp/onReconnect``) has returned, and before anything that is sent
/// later. The peer may get a message twice: number your messages if that matters.
/// ``WebSocketApp/replayStatus`` says how many were sent again.
///
/// **What acknowledges is a pong** (RFC 6455 §5.5.3): a ping follows what has been sent, one at a time, and
/// its pong shows that the peer's end of the connection has read everything before it, whatever relays and
/// proxies are in between. What TCP acknowledges has only reached the next system, and may get lost there. Neither shows
/// that the peer's program has done anything with a message; only its own answer can. The pongs of these
/// pings don't come to ``WebSocketApp/onPong``.
///
/// **What is kept**: everything that the app's own `send` calls accept, but control frames. It is compressed
/// anew for each connection. Messages are accepted while no connection is open, too. What `onOpen` and
/// `onReconnect` send themselves goes out first and isn't kept, as they are called again for the next
/// connection. Nor is what is sent on ``WebSocketApp/socket``.
public struct Replay: Sendable {
    /// What a call does whose message finds no room.
    public enum WhenFull: Sendable, Hashable {
        /// It waits for acknowledgements, at most ``Timeouts/send``. A callback of an app on the same thread
        /// doesn't wait, as they are received there: it throws as with ``fail``.
        case wait
        /// It throws ``WebSocketError/timedOut(_:)`` at once, and nothing of the message is sent.
        case fail
    }

    /// Decides about a message that is about to go out on another connection: returns it, another one in
    /// its place, or `nil` to drop it.
    public typealias Review = @Sendable (KeptMessage) -> Message?

    /// How much may be kept, in bytes; each message counts its payload and 64 bytes besides.
    public var limit: Int
    /// What a call does whose message finds no room.
    public var whenFull: WhenFull
    /// Called on the app's thread with each message that is kept, in order, when another connection has
    /// opened, after `onOpen`; `nil` sends all of them again. Prepared messages and fragments come as whole
    /// messages, and remain what they are if they are returned unchanged.
    public var review: Review?

    /// Keeps what hasn't been acknowledged.
    ///
    /// - Parameters:
    ///   - limit: How much may be kept, in bytes; each message counts its payload and 64 bytes besides.
    ///   - whenFull: What a call does whose message finds no room.
    ///   - review: Decides about each message before it goes out on another connection.
    /// - Returns: The plan.
    public static func unacknowledged(
        limit: Int,
        whenFull: WhenFull = .wait,
        review: Review? = nil
    ) -> Replay {
        Replay(limit: limit, whenFull: whenFull, review: review)
    }
}

/// A message that hasn't been acknowledged when another connection opens.
public struct KeptMessage: Sendable {
    /// The message.
    public let message: Message
    /// When the app accepted it.
    public let acceptedAt: ContinuousClock.Instant
    /// How many connections have taken it whole: with 0, the peer can't have it.
    public let timesSent: Int
}

/// What has become of the messages that a ``WebSocketApp`` keeps, in its run or in the last one.
public struct ReplayStatus: Sendable, Hashable {
    /// How many messages are kept, because they have not been acknowledged.
    public var keptMessages = 0
    /// How much that is; see ``Replay/limit``.
    public var keptBytes = 0
    /// How many messages have been acknowledged.
    public var acknowledgedMessages = 0
    /// How often a message was sent again that an earlier connection had been given: an upper bound of
    /// what the peer got twice, as it may not have got the first one.
    public var sentAgain = 0
    /// How many messages ``Replay/review`` dropped.
    public var droppedMessages = 0

    package init() {}
}
