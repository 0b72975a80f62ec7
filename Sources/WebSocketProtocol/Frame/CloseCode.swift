/// The reason for closing a connection, as a number (RFC 6455 §7.4 and the IANA registry).
///
/// More codes are possible: libraries register 3000 to 3999, and applications use 4000 to 4999 freely.
public struct CloseCode: RawRepresentable, Sendable, Hashable {
    /// The number on the wire.
    public var rawValue: UInt16

    /// Makes a code from any number; ``isValidOnWire`` says whether it may be sent.
    ///
    /// - Parameter rawValue: The number, 0 to 65535.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000: the purpose of the connection has been fulfilled.
    public static let normalClosure = CloseCode(rawValue: 1000)
    /// 1001: the endpoint is going away, for example a server that shuts down.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// 1003: the endpoint can't accept this type of data.
    public static let unsupportedData = CloseCode(rawValue: 1003)
    /// 1005: the close frame carried no code; never sent.
    public static let noStatusReceived = CloseCode(rawValue: 1005)
    /// 1006: the connection ended without a close frame; never sent.
    public static let abnormalClosure = CloseCode(rawValue: 1006)
    /// 1007: the data didn't fit the message's type, for example text that isn't UTF-8.
    public static let invalidPayload = CloseCode(rawValue: 1007)
    /// 1008: the message violated a policy of the endpoint.
    public static let policyViolation = CloseCode(rawValue: 1008)
    /// 1009: the message was too big to process.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// 1010: the client expected an extension that the server didn't negotiate.
    public static let mandatoryExtension = CloseCode(rawValue: 1010)
    /// 1011: the endpoint met an unexpected condition.
    public static let internalError = CloseCode(rawValue: 1011)
    /// 1012: the service restarts.
    public static let serviceRestart = CloseCode(rawValue: 1012)
    /// 1013: try again later.
    public static let tryAgainLater = CloseCode(rawValue: 1013)
    /// 1014: a gateway received an invalid response from upstream.
    public static let badGateway = CloseCode(rawValue: 1014)
    /// 1015: the TLS handshake failed; never sent.
    public static let tlsHandshake = CloseCode(rawValue: 1015)

    /// Whether a close frame may carry this code (§7.4.1, §7.4.2).
    public var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

extension CloseCode: CustomStringConvertible {
    /// The number, as text.
    public var description: String { String(rawValue) }
}
