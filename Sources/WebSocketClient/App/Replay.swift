/// Which messages a ``WebSocketApp`` keeps, to send them again after its connection has dropped.
///
/// ```swift
/// let app = WebSocketApp(url: "wss://example.com/ingest")
/// app.replay = .unacknowledged(limit: 16 << 20)
/// app.reconnection = .exponentialBackoff()
/// ```
///
/// **At least once.** A message that the app's calls have accepted is kept until the peer has
/// acknowledged it. When a connection drops, unacknowledged messages go out again on the next one, in
/// their order, after ``WebSocketApp/onOpen`` (or ``WebSocketApp/onReconnect``) has returned, and
/// before anything sent later. The peer may get a message twice: number your messages if that matters.
/// ``WebSocketApp/replayStatus`` says how many were sent again.
///
/// **Pongs acknowledge** (RFC 6455 §5.5.3): after messages the app sends a ping, one at a time, and its
/// pong shows that the peer's end of the connection has read everything before it, whatever relays and
/// proxies are in between. A TCP acknowledgement shows only that bytes have reached the next system,
/// where they may get lost. Neither shows that the peer's program has done anything with a message;
/// only its own answer can. The pongs of these pings aren't reported to ``WebSocketApp/onPong``.
///
/// **The app keeps** everything that its own `send` calls accept, except control frames, and compresses
/// it anew for each connection. Messages are also accepted while no connection is open. Messages that
/// `onOpen` and `onReconnect` send go out first and aren't kept, as these callbacks are called again
/// for the next connection. Nor are messages sent on ``WebSocketApp/socket``.
public struct Replay: Sendable {
    /// What `send` does when the limit is reached.
    public enum WhenFull: Sendable, Hashable {
        /// It waits for acknowledgements, at most ``Timeouts/send``. In a callback it doesn't wait, as
        /// acknowledgements are received on that thread: it throws as with ``fail``.
        case wait
        /// It throws ``WebSocketError/timedOut(_:)`` at once, and none of the message is sent.
        case fail
    }

    /// Decides about a message that is about to go out on another connection: returns it, another one in
    /// its place, or `nil` to drop it.
    public typealias Review = @Sendable (KeptMessage) -> Message?

    /// How much may be kept, in bytes; each message counts as its payload plus 64 bytes.
    public var limit: Int
    /// What `send` does when the limit is reached.
    public var whenFull: WhenFull
    /// Called on the app's thread with each kept message, oldest first, when another connection has
    /// opened, after `onOpen`; if it is `nil`, all of them are sent again. It gets prepared messages
    /// and fragments as whole messages; returned unchanged, they go out as prepared messages and
    /// fragments.
    public var review: Review?

    /// Keeps what hasn't been acknowledged.
    ///
    /// - Parameters:
    ///   - limit: How much may be kept, in bytes; each message counts as its payload plus 64 bytes.
    ///   - whenFull: What `send` does when the limit is reached.
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
    /// How many connections have taken it whole; if 0, the peer can't have it.
    public let timesSent: Int
}

/// Counts of the messages that a ``WebSocketApp`` has kept, in its present run or its last.
public struct ReplayStatus: Sendable, Hashable {
    /// How many messages are kept, because they have not been acknowledged.
    public var keptMessages = 0
    /// Their size; see ``Replay/limit``.
    public var keptBytes = 0
    /// How many messages have been acknowledged.
    public var acknowledgedMessages = 0
    /// How often a message that an earlier connection had been given was sent again: an upper bound of
    /// what the peer got twice, as the first copy may have been lost.
    public var sentAgain = 0
    /// How many messages ``Replay/review`` dropped.
    public var droppedMessages = 0

    package init() {}
}
