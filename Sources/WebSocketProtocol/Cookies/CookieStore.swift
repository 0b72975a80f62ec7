package import HTTPTypes

/// Cookies of any number of servers, RFC 6265, in memory.
///
/// `Domain`, `Path`, `Secure`, `Expires` and `Max-Age` are honoured, and a cookie without `Domain`
/// goes to its host alone. There is no list of public suffixes; a domain of a single label is
/// refused. The time is passed in, as seconds since 1970.
package struct CookieStore: Sendable {
    private struct Cookie: Sendable {
        var name: String
        var value: String
        var domain: String
        var isHostOnly: Bool
        var path: String
        var isSecure: Bool
        var expiry: Int64?
        /// Both count events, not time, so that no two are the same.
        var created: UInt64
        var used: UInt64
    }

    private var cookies: [Cookie] = []
    private var events: UInt64 = 0

    private let maximumPerDomain: Int
    private let maximumTotal: Int

    /// Makes an empty store; the limits are those of RFC 6265 §6.1: "At least 50 cookies per domain",
    /// "At least 3000 cookies total".
    package init(maximumPerDomain: Int = 50, maximumTotal: Int = 3000) {
        self.maximumPerDomain = maximumPerDomain
        self.maximumTotal = maximumTotal
    }

    /// How many cookies there are, expired ones included until they are noticed.
    package var count: Int { cookies.count }

    /// Takes the cookie of a `Set-Cookie` field; returns whether it is one that may be kept.
    ///
    /// One that has expired already is how a server deletes it.
    @discardableResult
    package mutating func store(
        _ setCookie: String,
        from url: WebSocketURL,
        now: Int64
    ) -> Bool {
        guard let new = SetCookie(setCookie, now: now), url.isSecure || !new.isSecure,
            let (domain, isHostOnly) = Self.scope(new.domain, host: url.host)
        else { return false }
        events += 1
        var cookie = Cookie(
            name: new.name,
            value: new.value,
            domain: domain,
            isHostOnly: isHostOnly,
            path: new.path ?? Self.defaultPath(url),
            isSecure: new.isSecure,
            expiry: new.expiry,
            created: events,
            used: events
        )
        guard Self.prefixIsTrue(cookie, setDomain: new.domain),
            url.isSecure || !wouldHideSecureCookie(cookie)
        else { return false }
        let isSame = { (other: Cookie) in
            other.name == cookie.name && other.domain == cookie.domain
                && other.path == cookie.path && other.isHostOnly == cookie.isHostOnly
        }
        if let old = cookies.firstIndex(where: isSame) {
            cookie.created = cookies[old].created
            cookies.remove(at: old)
        }
        if (cookie.expiry ?? .max) > now {
            cookies.append(cookie)
            evict(domain: domain, now: now)
        }
        return true
    }

    /// Takes all cookies of a response.
    package mutating func store(_ headers: HTTPFields, from url: WebSocketURL, now: Int64) {
        for value in headers[values: .setCookie] { store(value, from: url, now: now) }
    }

    /// The value of the `Cookie` field for a request, nil if no cookie is meant for it.
    ///
    /// Longer paths come first, then older cookies (RFC 6265 §5.4).
    package mutating func cookieHeader(for url: WebSocketURL, now: Int64) -> String? {
        removeExpired(now: now)
        events += 1
        var matches: [Cookie] = []
        for index in cookies.indices where Self.isMeant(cookies[index], for: url) {
            cookies[index].used = events
            matches.append(cookies[index])
        }
        guard !matches.isEmpty else { return nil }
        matches.sort {
            ($1.path.utf8.count, $0.created) < ($0.path.utf8.count, $1.created)
        }
        return matches.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }

    /// Removes all cookies.
    package mutating func clear() { cookies = [] }

    private mutating func removeExpired(now: Int64) {
        cookies.removeAll { ($0.expiry ?? .max) <= now }
    }

    /// Makes room, RFC 6265 §5.3: expired cookies go first, then those not used for longest, first of
    /// a domain with too many.
    private mutating func evict(domain: String, now: Int64) {
        let ofDomain = cookies.count { $0.domain == domain }
        guard ofDomain > maximumPerDomain || cookies.count > maximumTotal else { return }
        let countBefore = cookies.count
        removeExpired(now: now)
        guard cookies.count == countBefore else { return evict(domain: domain, now: now) }
        let candidates = cookies.indices.filter {
            ofDomain <= maximumPerDomain || cookies[$0].domain == domain
        }
        let oldest = candidates.min { cookies[$0].used < cookies[$1].used }
        if let oldest { cookies.remove(at: oldest) }
    }

    /// The domain of a cookie and whether it is for that host alone; nil if the host may not set it.
    private static func scope(_ domain: String?, host: String) -> (String, isHostOnly: Bool)? {
        guard let domain, domain != host else {
            // An address or a single label names one host, whatever the attribute says.
            let isOneHost = domain == nil || isAddress(host) || isSingleLabel(host)
            return (host, isHostOnly: isOneHost)
        }
        guard !isSingleLabel(domain), domainMatches(host, domain) else { return nil }
        return (domain, isHostOnly: false)
    }

    private static func isSingleLabel(_ domain: String) -> Bool {
        domain.utf8.split(separator: UInt8(ascii: ".")).count < 2
    }

    private static func isAddress(_ host: String) -> Bool {
        host.utf8.contains(UInt8(ascii: ":")) || IPAddress.isVersion4(host.utf8)
    }

    /// RFC 6265 §5.1.3.
    private static func domainMatches(_ host: String, _ domain: String) -> Bool {
        host == domain || (host.hasSuffix("." + domain) && !isAddress(host))
    }

    /// RFC 6265 §5.1.4.
    private static func defaultPath(_ url: WebSocketURL) -> String {
        let path = url.path
        let end = path.lastIndex(of: "/") ?? path.startIndex
        return end == path.startIndex ? "/" : String(path[..<end])
    }

    /// RFC 6265 §5.1.4.
    private static func pathMatches(_ path: String, _ cookiePath: String) -> Bool {
        guard path.utf8.starts(with: cookiePath.utf8) else { return false }
        return path.utf8.count == cookiePath.utf8.count || cookiePath.hasSuffix("/")
            || path.utf8.dropFirst(cookiePath.utf8.count).first == UInt8(ascii: "/")
    }

    private static func isMeant(_ cookie: Cookie, for url: WebSocketURL) -> Bool {
        let isForHost =
            cookie.isHostOnly
            ? cookie.domain == url.host : domainMatches(url.host, cookie.domain)
        return isForHost && (url.isSecure || !cookie.isSecure) && pathMatches(url.path, cookie.path)
    }

    /// What a name promises has to hold (RFC 6265bis §4.1.3), or its prefix would be worth nothing.
    private static func prefixIsTrue(_ cookie: Cookie, setDomain: String?) -> Bool {
        let name = cookie.name.asciiLowercased
        if name.hasPrefix("__host-") {
            return cookie.isSecure && setDomain == nil && cookie.path == "/"
        }
        return cookie.isSecure || !name.hasPrefix("__secure-")
    }

    /// Whether a cookie from an open connection would get in the way of one from a secure connection
    /// (RFC 6265bis §5.7, "leave secure cookies alone").
    private func wouldHideSecureCookie(_ new: Cookie) -> Bool {
        cookies.contains { old in
            old.isSecure && old.name == new.name && Self.pathMatches(new.path, old.path)
                && (Self.domainMatches(new.domain, old.domain)
                    || Self.domainMatches(old.domain, new.domain))
        }
    }
}
