// Names of versions before 0.1.0. The compiler offers the new ones.

/// The former name of ``ConnectionEnd``.
@available(*, unavailable, renamed: "ConnectionEnd")
public typealias Closure = ConnectionEnd

extension [ConnectionAttempt] {
    /// For the time when the attempts of ``WebSocketError/connectFailed(host:attempts:)`` were strings.
    @available(*, unavailable, message: "Join the description of each attempt.")
    public func joined(separator: String) -> String {
        map(\.description).joined(separator: separator)
    }
}

extension Reconnection {
    /// The former choice whether to connect again; ``chooseDelay`` returns `nil` to give up.
    @available(*, unavailable, message: "Set chooseDelay, which returns nil to give up.")
    public var shouldReconnect: (@Sendable (_ error: WebSocketError, _ attempt: Int) -> Bool)? {
        get { nil }
        set {}
    }
}
