public import HTTPTypes
import WebSocketProtocol

/// The cookies that servers have set in their handshakes (RFC 6265), kept in memory.
///
/// Domain, Path, Secure, Expires and Max-Age are honoured; a cookie without a domain goes back only to
/// its own host. At most 50 cookies a domain and 3,000 in all are kept. Safe to use from any thread.
public final class CookieJar: Sendable {
    /// The jar of the process, which connections use by default.
    public static let shared = CookieJar()

    private let store = Locked(CookieStore())

    /// Makes an empty jar.
    public init() {}

    /// The value of the `Cookie` field that a request would carry.
    ///
    /// - Parameter url: The URL of the request.
    /// - Returns: `nil` if no cookie is meant for it.
    public func cookieHeader(for url: WebSocketURL) -> String? {
        store.withLock { $0.cookieHeader(for: url, now: SystemCalls.secondsSince1970()) }
    }

    /// Stores the cookies of a server's answer.
    ///
    /// - Parameters:
    ///   - headers: The answer's header fields.
    ///   - url: The URL of the request.
    public func store(_ headers: HTTPFields, from url: WebSocketURL) {
        store.withLock { $0.store(headers, from: url, now: SystemCalls.secondsSince1970()) }
    }

    /// Removes all cookies.
    public func clear() { store.withLock { $0.clear() } }
}
