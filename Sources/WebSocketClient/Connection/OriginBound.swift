import HTTPTypes
import WebSocketProtocol

/// The options that a caller gave for one origin. A redirect to another origin drops them all, in one
/// place.
///
/// The credentials of the URL belong to the URL, and go with it; cookies of a jar have scopes of their own.
struct OriginBound {
    private(set) var headers: HTTPFields
    private(set) var cookie: String?
    private(set) var host: ConnectOptions.HeaderChoice
    /// Subprotocols may carry a token: they are the only place where a browser's script can put one.
    private(set) var subprotocols: [String]
    private(set) var tls: TLSOptions

    private let marked: Set<HTTPField.Name>

    init(_ options: ConnectOptions) {
        headers = options.headers
        cookie = options.cookie
        host = options.host
        subprotocols = options.subprotocols
        tls = options.tls
        marked = options.headersForOtherOrigins
    }

    /// Keeps only what another origin may see.
    mutating func leaveOrigin() {
        headers = headers.forOtherOrigin(marked: marked)
        if !marked.contains(.cookie) { cookie = nil }
        host = .automatic
        if !marked.contains(.secWebSocketProtocol) { subprotocols = [] }
        tls.serverName = nil
        tls.clientCertificate = nil
        tls.pinnedPublicKeys = []
        tls.contextHook = nil
    }
}
