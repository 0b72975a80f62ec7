import HTTPTypes
import WebSocketProtocol

/// What a caller gave for one origin: the one value that a redirect to another origin drops, in one place.
///
/// The credentials of the URL belong to the URL, and go with it; cookies of a jar have scopes of their own.
struct OriginBound {
    private(set) var headers: HTTPFields
    private(set) var cookie: String?
    private(set) var host: ConnectOptions.HeaderChoice
    /// Subprotocols are the one place where a browser's script can put a token, and services take it.
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

    /// Keeps what another origin may see.
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
