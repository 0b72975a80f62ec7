import Foundation
import WebSocketClient

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The error that a program written for Apple's class looks for, with the client's own as its underlying
/// error.
func taskError(_ error: any Error) -> any Error {
    guard let error = error as? WebSocketError else {
        return error is CancellationError ? URLError(.cancelled) : error
    }
    let facts: [String: Any] = [
        NSUnderlyingErrorKey: error, NSLocalizedDescriptionKey: error.description,
    ]
    switch error {
    case .protocolViolation(let violation):
        switch violation.rule {
        case .messageTooBig, .frameTooBig: return POSIXError(.EMSGSIZE, userInfo: facts)
        default: return URLError(.badServerResponse, userInfo: facts)
        }
    case .connectionClosed(let end):
        return end.received != nil
            ? POSIXError(.ENOTCONN, userInfo: facts)
            : URLError(.networkConnectionLost, userInfo: facts)
    default: return URLError(code(of: error), userInfo: facts)
    }
}

private func code(of error: WebSocketError) -> URLError.Code {
    switch error {
    case .invalidURL: .unsupportedURL
    case .invalidArgument: .badURL
    case .addressNotFound: .cannotFindHost
    case .connectFailed, .proxy: .cannotConnectToHost
    case .tls(let error) where error.isVerificationFailure: .serverCertificateUntrusted
    case .tls: .secureConnectionFailed
    case .timedOut: .timedOut
    case .aborted, .cancelled: .cancelled
    case .handshakeFailed, .badStatus, .protocolViolation, .invalidPayload: .badServerResponse
    default: .networkConnectionLost
    }
}
