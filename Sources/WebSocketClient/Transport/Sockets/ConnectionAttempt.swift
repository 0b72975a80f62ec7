/// A failed attempt to connect to one of a host's addresses; see
/// ``WebSocketError/connectFailed(host:attempts:)``.
public struct ConnectionAttempt: Sendable, Hashable {
    /// The address and port, such as `[::1]:443`, or the path of a Unix socket, as in `unix:/run/feed`.
    public let address: String
    /// The system call that failed: `connect`, unless an earlier one did.
    public let call: String
    /// The system's error number, such as `ECONNREFUSED`.
    public let number: Int32

    /// Makes the description of an attempt.
    ///
    /// - Parameters:
    ///   - address: The address and port.
    ///   - call: The system call that failed.
    ///   - number: The system's error number.
    public init(address: String, call: String = "connect", number: Int32) {
        self.address = address
        self.call = call
        self.number = number
    }

    init(_ address: SocketAddress, _ error: ErrorNumber, in call: String = "connect") {
        self.init(address: "\(address)", call: call, number: error.rawValue)
    }
}

extension ConnectionAttempt: CustomStringConvertible {
    /// The address and the reason, such as `[::1]:443: Connection refused`.
    public var description: String {
        let reason = ErrorNumber(rawValue: number)
        return call == "connect" ? "\(address): \(reason)" : "\(address): \(call): \(reason)"
    }
}
