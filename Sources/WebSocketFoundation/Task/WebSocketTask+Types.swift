public import Foundation
import WebSocketClient

extension WebSocketTask {
    /// A message, text or binary (RFC 6455 §5.6).
    public enum Message: Sendable, Hashable {
        /// A binary message.
        case data(Data)
        /// A text message.
        case string(String)
    }

    /// The state of a task; the raw values are those of `URLSessionTask.State`.
    public enum State: Int, Sendable {
        /// It connects, or is connected.
        case running = 0
        /// It hasn't been resumed yet, or has been suspended.
        case suspended = 1
        /// It has been cancelled and hasn't completed yet.
        case canceling = 2
        /// The connection has ended, or couldn't be opened.
        case completed = 3
    }

    /// Why a connection was closed (RFC 6455 §7.4.1), under the names of Apple's enumeration.
    public enum CloseCode: Sendable, Hashable, RawRepresentable {
        /// The connection isn't closed. (0)
        case invalid
        /// The purpose is fulfilled. (1000)
        case normalClosure
        /// An end goes away. (1001)
        case goingAway
        /// A rule of the protocol was broken. (1002)
        case protocolError
        /// Data of a kind that isn't accepted. (1003)
        case unsupportedData
        /// The close frame carried no code. (1005)
        case noStatusReceived
        /// The connection was lost without a close frame. (1006)
        case abnormalClosure
        /// Text that isn't UTF-8. (1007)
        case invalidFramePayloadData
        /// A policy was violated. (1008)
        case policyViolation
        /// A message was too big. (1009)
        case messageTooBig
        /// An extension is missing. (1010)
        case mandatoryExtensionMissing
        /// The server failed. (1011)
        case internalServerError
        /// TLS failed. (1015)
        case tlsHandshakeFailure
        /// Any other code; 3000 to 4999 are for libraries and applications.
        case other(Int)

        private static let named: [CloseCode] = [
            .invalid, .normalClosure, .goingAway, .protocolError, .unsupportedData,
            .noStatusReceived, .abnormalClosure, .invalidFramePayloadData, .policyViolation,
            .messageTooBig, .mandatoryExtensionMissing, .internalServerError, .tlsHandshakeFailure,
        ]

        /// The code for a number.
        ///
        /// - Parameter rawValue: Any number.
        public init?(rawValue: Int) {
            self = Self.named.first { $0.rawValue == rawValue } ?? .other(rawValue)
        }

        /// The code as a number; 0 for `invalid`.
        public var rawValue: Int {
            switch self {
            case .invalid: 0
            case .normalClosure: 1000
            case .goingAway: 1001
            case .protocolError: 1002
            case .unsupportedData: 1003
            case .noStatusReceived: 1005
            case .abnormalClosure: 1006
            case .invalidFramePayloadData: 1007
            case .policyViolation: 1008
            case .messageTooBig: 1009
            case .mandatoryExtensionMissing: 1010
            case .internalServerError: 1011
            case .tlsHandshakeFailure: 1015
            case .other(let number): number
            }
        }

        init(_ code: WebSocketClient.CloseCode) {
            self = CloseCode(rawValue: Int(code.rawValue)) ?? .invalid
        }

        /// The code as it goes into a close frame; `nil` for one that may not be sent.
        var onWire: WebSocketClient.CloseCode? {
            guard let number = UInt16(exactly: rawValue) else { return nil }
            let code = WebSocketClient.CloseCode(rawValue: number)
            return code.isValidOnWire ? code : nil
        }
    }
}
