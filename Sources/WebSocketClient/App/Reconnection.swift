import HTTPTypes
import WebSocketProtocol

/// Whether, when and how often a ``WebSocketApp`` connects again after its connection has ended.
///
/// ```swift
/// let app = WebSocketApp(url: "wss://example.com/feed")
/// try app.runForever(reconnect: .every(.seconds(5)))
/// try app.runForever(reconnect: .exponentialBackoff(maximumAttempts: 10))
/// ```
///
/// The app reconnects after any end, also one that the server asked for, unless ``chooseDelay`` returns
/// `nil`; the app's own ``WebSocketApp/close(timeout:)`` ends the run.
///
/// If a server refuses the handshake with 429 or 503 and sends `Retry-After` (RFC 9110 §10.2.3), the
/// app waits that long, up to ``maximumDelay``. A wait is never shorter than 1 ms.
public struct Reconnection: Sendable {
    /// The wait before the first attempt.
    public var initialDelay: Duration
    /// The longest wait.
    public var maximumDelay: Duration
    /// What each wait is multiplied by for the next one; 1 for equal waits, and less than 1 for waits that
    /// get shorter.
    public var multiplier: Double
    /// The share of each wait that is random, 0 to 1: it keeps a thousand clients that lost the same
    /// server from coming back at the same moment. It only shortens waits.
    public var jitter: Double
    /// How many attempts in a row may fail before the app gives up; `nil` for no limit.
    public var maximumAttempts: Int?
    /// How long a connection must have lasted for the waits to begin anew.
    public var stablePeriod: Duration
    /// Decides after each end, on the app's thread, how long to wait; the app gives up if it returns
    /// `nil`. Without it, the proposed delay is used.
    public var chooseDelay: DelayChoice?

    /// A function that decides how long to wait before an attempt, and whether there is to be one.
    ///
    /// - Parameters:
    ///   - error: How the connection ended, or why there was none.
    ///   - attempt: The number of the attempt that would follow, 1 being the first.
    ///   - proposed: The delay that the plan proposes: with its random share, and with `Retry-After`
    ///     obeyed up to ``maximumDelay``.
    /// - Returns: The delay, which may be longer than ``maximumDelay``; `nil` to give up.
    public typealias DelayChoice =
        @Sendable (
            _ error: WebSocketError, _ attempt: Int, _ proposed: Duration
        ) -> Duration?

    /// Makes a plan.
    ///
    /// - Parameters:
    ///   - initialDelay: The wait before the first attempt.
    ///   - maximumDelay: The longest wait.
    ///   - multiplier: What each wait is multiplied by for the next one.
    ///   - jitter: The share of each wait that is random, 0 to 1.
    ///   - maximumAttempts: How many attempts in a row may fail.
    ///   - stablePeriod: How long a connection must have lasted for the waits to begin anew.
    ///   - chooseDelay: Decides after each end how long to wait; the app gives up if it returns `nil`.
    public init(
        initialDelay: Duration,
        maximumDelay: Duration,
        multiplier: Double,
        jitter: Double,
        maximumAttempts: Int? = nil,
        stablePeriod: Duration = .seconds(30),
        chooseDelay: DelayChoice? = nil
    ) {
        self.initialDelay = initialDelay
        self.maximumDelay = maximumDelay
        self.multiplier = multiplier
        self.jitter = jitter
        self.maximumAttempts = maximumAttempts
        self.stablePeriod = stablePeriod
        self.chooseDelay = chooseDelay
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
    ///   - chooseDelay: Decides after each end how long to wait; the app gives up if it returns `nil`.
    /// - Returns: The plan.
    public static func exponentialBackoff(
        from initialDelay: Duration = .seconds(1),
        to maximumDelay: Duration = .seconds(60),
        maximumAttempts: Int? = nil,
        chooseDelay: DelayChoice? = nil
    ) -> Reconnection {
        Reconnection(
            initialDelay: initialDelay,
            maximumDelay: maximumDelay,
            multiplier: 2,
            jitter: 0.5,
            maximumAttempts: maximumAttempts,
            chooseDelay: chooseDelay
        )
    }

    /// The wait before an attempt, 1 being the first; `nil` to give up. `random` is from 0 to 1, without
    /// 1, and `now` the time of day in seconds since 1970, for a `Retry-After` that is a date.
    func delay(
        after error: WebSocketError,
        attempt: Int,
        random: Double = .random(in: 0..<1),
        now: Int64 = SystemCalls.secondsSince1970()
    ) -> Duration? {
        if let maximumAttempts, attempt > maximumAttempts { return nil }
        var proposed = delay(beforeAttempt: attempt, random: random)
        if let asked = error.retryAfter(now: now) {
            proposed = max(proposed, min(asked, maximumDelay))
        }
        guard let chooseDelay else { return proposed }
        return chooseDelay(error, attempt, proposed).map { max($0, Self.shortestDelay) }
    }

    /// With shorter waits, the app would try as often as the processor allows.
    private static let shortestDelay = Duration.milliseconds(1)

    /// The wait before an attempt, 1 being the first; `random` is from 0 to 1, without 1.
    func delay(beforeAttempt attempt: Int, random: Double) -> Duration {
        let longest = maximumDelay / .seconds(1)
        let delay = initialDelay / .seconds(1) * power(multiplier, max(attempt, 1) - 1)
        let share = 1 - min(max(jitter, 0), 1) * random
        let seconds = min(delay, longest) * share
        // Not a number, because the options were meaningless.
        guard seconds.isFinite else { return max(maximumDelay, Self.shortestDelay) }
        return max(.seconds(seconds), Self.shortestDelay)
    }

    /// By repeated squaring, so that no number of attempts takes long.
    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest % 2 == 1 { result *= square }
            square *= square
            rest /= 2
        }
        return result
    }
}

extension WebSocketError {
    /// How long an overloaded server asks clients to wait.
    fileprivate func retryAfter(now: Int64) -> Duration? {
        guard case .badStatus(let response) = self, [429, 503].contains(response.statusCode),
            let value = response.headers[.retryAfter]
        else { return nil }
        if let date = CookieDate.parse(Array(value.utf8)) { return .seconds(max(0, date - now)) }
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        // More digits than fit mean longer than anybody waits.
        return .seconds(Int64(value) ?? .max)
    }
}
