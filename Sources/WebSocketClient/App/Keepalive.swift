/// How a ``WebSocketApp`` notices a peer that has vanished (RFC 6455 §5.5.2).
///
/// The first ping is sent one interval after the connection was opened. Any byte that arrives after a
/// ping counts as a sign of life, not only its pong. And as long as the peer's system acknowledges new
/// bytes, the ping may still be queued behind them. So neither a large message nor a busy callback ends
/// a connection that is alive.
public struct Keepalive: Sendable, Hashable {
    /// The time between pings, at least 1 ms.
    public var interval: Duration
    /// How long the peer may be silent after a ping has left, before the connection counts as lost
    /// and ends with ``WebSocketError/timedOut(_:)``; shorter than the interval. With `nil`, a silent
    /// connection is never ended.
    public var timeout: Duration?
    /// The payload of pings, at most 125 bytes. If it is empty, each ping carries a number of its own,
    /// so that its pong can be told from others.
    public var payload: [UInt8]

    /// Makes a plan; a run checks it.
    ///
    /// - Parameters:
    ///   - interval: The time between pings.
    ///   - timeout: How long the peer may be silent after a ping.
    ///   - payload: The payload of pings.
    public init(interval: Duration, timeout: Duration? = nil, payload: [UInt8] = []) {
        self.interval = interval
        self.timeout = timeout
        self.payload = payload
    }

    /// With a shorter interval, the app would do nothing but ping.
    private static let shortestInterval = Duration.milliseconds(1)

    func check() throws(WebSocketError) {
        guard interval >= Self.shortestInterval else {
            throw .invalidArgument("The ping interval must be at least 1 ms.")
        }
        if let timeout {
            guard timeout > .zero else {
                throw .invalidArgument("The ping time-out must be greater than zero.")
            }
            guard timeout < interval else {
                throw .invalidArgument("The ping time-out must be shorter than the ping interval.")
            }
        }
        guard payload.count <= FrameHeader.maximumControlPayload else {
            throw .invalidArgument("A ping carries at most 125 bytes.")
        }
    }
}

/// The keepalive of one connection, step by step: when to ping, and when to give up.
struct KeepaliveClock {
    /// The observable state of a connection.
    struct Traffic {
        var receivedBytes: UInt64
        /// Bytes handed to the system.
        var sentBytes: Int64
        /// How many of those the peer's system has not acknowledged.
        var unacknowledgedBytes: Int64
        /// Whether there are bytes that the system has not taken yet.
        var hasUnsentBytes: Bool

        var acknowledgedBytes: Int64 { sentBytes - unacknowledgedBytes }
    }

    enum Verdict: Equatable { case nothing, ping, lost }

    /// A ping whose answer is due.
    private struct PendingPing {
        var deadline: Deadline
        let receivedBytes: UInt64
        /// Where in the stream the ping ends, once that is known; acknowledgements beyond it say
        /// nothing about the ping.
        var position: Int64?
        var acknowledgedBytes: Int64

        init(_ traffic: Traffic, deadline: Deadline) {
            self.deadline = deadline
            receivedBytes = traffic.receivedBytes
            let isInFlight =
                !traffic.hasUnsentBytes && traffic.unacknowledgedBytes <= Self.packet
            position = traffic.hasUnsentBytes ? nil : traffic.sentBytes
            acknowledgedBytes = isInFlight ? traffic.sentBytes : traffic.acknowledgedBytes
        }

        /// With no more than this on the way, nothing is in front of the ping.
        private static let packet: Int64 = 1500

        /// Whether the peer's system has acknowledged more of what precedes the ping.
        mutating func sawProgress(_ traffic: Traffic) -> Bool {
            let acknowledged = min(traffic.acknowledgedBytes, position ?? .max)
            if position == nil, !traffic.hasUnsentBytes { position = traffic.sentBytes }
            defer { acknowledgedBytes = max(acknowledged, acknowledgedBytes) }
            return acknowledged > acknowledgedBytes
        }
    }

    private let keepalive: Keepalive
    private var nextPing: Deadline
    private var pending: PendingPing?

    init(_ keepalive: Keepalive, now: Deadline) {
        self.keepalive = keepalive
        nextPing = now.advanced(by: keepalive.interval)
    }

    var deadline: Deadline { pending?.deadline.earlier(nextPing) ?? nextPing }

    /// Notes that a ping has been accepted for sending.
    mutating func pinged(_ traffic: Traffic, now: Deadline) {
        nextPing = now.advanced(by: keepalive.interval)
        guard let timeout = keepalive.timeout, pending == nil else { return }
        pending = PendingPing(traffic, deadline: now.advanced(by: timeout))
    }

    /// The step that is due now; to be called after everything that has arrived has been read.
    mutating func look(_ traffic: Traffic, now: Deadline) -> Verdict {
        if let deadline = pending?.deadline, deadline <= now, let timeout = keepalive.timeout {
            if traffic.receivedBytes != pending?.receivedBytes {
                pending = nil
            } else if pending?.sawProgress(traffic) == true {
                // The ping may still be queued behind bytes that the peer is taking in: time runs from
                // when it left, or a little later.
                pending?.deadline = now.advanced(by: timeout)
            } else {
                return .lost
            }
        }
        return nextPing <= now ? .ping : .nothing
    }
}
