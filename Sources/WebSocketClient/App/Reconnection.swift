/// Whether, when and how often a ``WebSocketApp`` connects again after its connection has ended.
///
/// ```swift
/// let app = WebSocketApp(url: "wss://example.com/feed")
/// try app.runForever(reconnect: .every(.seconds(5)))
/// try app.runForever(reconnect: .exponentialBackoff(maximumAttempts: 10))
/// ```
///
/// Any end counts, one that the server wished too, unless ``shouldReconnect`` refuses; the app's own
/// ``WebSocketApp/close(code:reason:timeout:)`` ends everything.
public struct Reconnection: Sendable {
    /// The wait before the first attempt.
    public var initialDelay: Duration
    /// The longest wait.
    public var maximumDelay: Duration
    /// What each wait is multiplied with for the next one; 1 for equal waits.
    public var multiplier: Double
    /// The share of each wait that is random, 0 to 1: it keeps a thousand clients that lost the same
    /// server from coming back in the same moment. A wait is never longer for it.
    public var jitter: Double
    /// How many attempts in a row may fail before the app gives up; `nil` for no limit.
    public var maximumAttempts: Int?
    /// How long a connection must have stood for the waits to begin anew.
    public var stablePeriod: Duration
    /// Decides after each end, on the running thread, with the error and the number of the attempt
    /// that would follow, 1 being the first; false gives up. `nil` always connects again.
    public var shouldReconnect: (@Sendable (_ error: WebSocketError, _ attempt: Int) -> Bool)?

    /// Makes a plan.
    ///
    /// - Parameters:
    ///   - initialDelay: The wait before the first attempt.
    ///   - maximumDelay: The longest wait.
    ///   - multiplier: What each wait is multiplied with for the next one.
    ///   - jitter: The share of each wait that is random, 0 to 1.
    ///   - maximumAttempts: How many attempts in a row may fail.
    ///   - stablePeriod: How long a connection must have stood for the waits to begin anew.
    ///   - shouldReconnect: Decides after each end.
    public init(
        initialDelay: Duration,
        maximumDelay: Duration,
        multiplier: Double,
        jitter: Double,
        maximumAttempts: Int? = nil,
        stablePeriod: Duration = .seconds(30),
        shouldReconnect: (@Sendable (_ error: WebSocketError, _ attempt: Int) -> Bool)? = nil
    ) {
        self.initialDelay = initialDelay
        self.maximumDelay = maximumDelay
        self.multiplier = multiplier
        self.jitter = jitter
        self.maximumAttempts = maximumAttempts
        self.stablePeriod = stablePeriod
        self.shouldReconnect = shouldReconnect
    }

    /// Equal waits without end, as websocket-client's `reconnect=5`.
    ///
    /// - Parameters:
    ///   - interval: The wait.
    ///   - maximumAttempts: How many attempts in a row may fail.
    /// - Returns: The plan.
    public static func every(_ interval: Duration, maximumAttempts: Int? = nil) -> Reconnection {
        Reconnection(
            initialDelay: interval,
            maximumDelay: interval,
            multiplier: 1,
            jitter: 0,
            maximumAttempts: maximumAttempts
        )
    }

    /// Waits that double, half of each random: 1 s, 2 s, 4 s, … up to a minute by default.
    ///
    /// - Parameters:
    ///   - initialDelay: The wait before the first attempt.
    ///   - maximumDelay: The longest wait.
    ///   - maximumAttempts: How many attempts in a row may fail.
    ///   - shouldReconnect: Decides after each end.
    /// - Returns: The plan.
    public static func exponentialBackoff(
        from initialDelay: Duration = .seconds(1),
        to maximumDelay: Duration = .seconds(60),
        maximumAttempts: Int? = nil,
        shouldReconnect: (@Sendable (_ error: WebSocketError, _ attempt: Int) -> Bool)? = nil
    ) -> Reconnection {
        Reconnection(
            initialDelay: initialDelay,
            maximumDelay: maximumDelay,
            multiplier: 2,
            jitter: 0.5,
            maximumAttempts: maximumAttempts,
            shouldReconnect: shouldReconnect
        )
    }

    /// The wait before an attempt, 1 being the first; `random` is in 0 ..< 1.
    func delay(beforeAttempt attempt: Int, random: Double) -> Duration {
        let longest = maximumDelay / .seconds(1)
        var delay = initialDelay / .seconds(1)
        // So many factors are enough for any wait that grows to reach the longest.
        for _ in 1..<min(max(attempt, 1), 1000) where delay < longest { delay *= multiplier }
        let share = 1 - min(max(jitter, 0), 1) * random
        let seconds = max(0, min(delay, longest)) * share
        return seconds.isFinite ? .seconds(seconds) : maximumDelay
    }

    func permits(_ error: WebSocketError, attempt: Int) -> Bool {
        if let maximumAttempts, attempt > maximumAttempts { return false }
        return shouldReconnect?(error, attempt) ?? true
    }
}
