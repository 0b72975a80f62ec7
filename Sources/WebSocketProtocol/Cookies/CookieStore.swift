package import HTTPTypes

/// The cookies of many servers, in memory (RFC 6265).
///
/// `Domain`, `Path`, `Secure`, `Expires` and `Max-Age` are honoured, and a cookie without `Domain`
/// goes only to its own host. There is no list of public suffixes; a domain of a single label is
/// refused. The time is passed in, as seconds since 1970.
package struct CookieStore: Sendable {
    private struct Cookie: Sendable {
        var name: [UInt8]
        var value: [UInt8]
        var domain: Host
        var isHostOnly: Bool
        var path: [UInt8]
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

    /// Stores the cookie of a `Set-Cookie` field; returns false if it may not be stored.
    ///
    /// An expired cookie deletes the stored one.
    @discardableResult
    package mutating func store(
        _ setCookie: String,
        from url: WebSocketURL,
        now: Int64
    ) -> Bool {
        guard let new = SetCookie(setCookie, now: now), url.isSecure || !new.isSecure,
            let (domain, isHostOnly) = Self.scope(new.domain, host: url.place)
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

    /// Stores all cookies of a response.
    package mutating func store(_ headers: HTTPFields, from url: WebSocketURL, now: Int64) {
        for value in headers[values: .setCookie] { store(value, from: url, now: now) }
    }

    /// The value of the `Cookie` field for a request; nil if there is no cookie for it.
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
        matches.sort { ($1.path.count, $0.created) < ($0.path.count, $1.created) }
        let pairs = matches.map { $0.name + [UInt8(ascii: "=")] + $0.value }
        return String(decoding: Array(pairs.joined(separator: "; ".utf8)), as: UTF8.self)
    }

    /// Removes all cookies.
    package mutating func clear() { cookies = [] }

    private mutating func removeExpired(now: Int64) {
        cookies.removeAll { ($0.expiry ?? .max) <= now }
    }

    /// Makes room, RFC 6265 §5.3: removes expired cookies first, then those that aren't Secure, the
    /// least recently used first, and domains with too many cookies before others.
    ///
    /// So a ws connection, whose cookies anybody on the network path can set, never evicts a Secure one
    /// (RFC 6265bis §5.7): its new cookie isn't Secure itself.
    private mutating func evict(domain: Host, now: Int64) {
        let ofDomain = cookies.count { $0.domain == domain }
        guard ofDomain > maximumPerDomain || cookies.count > maximumTotal else { return }
        let countBefore = cookies.count
        removeExpired(now: now)
        guard cookies.count == countBefore else { return evict(domain: domain, now: now) }
        let candidates = cookies.indices.filter {
            ofDomain <= maximumPerDomain || cookies[$0].domain == domain
        }
        let oldest = candidates.min { left, right in
            guard cookies[left].isSecure == cookies[right].isSecure else {
                return !cookies[left].isSecure
            }
            return cookies[left].used < cookies[right].used
        }
        if let oldest { cookies.remove(at: oldest) }
    }

    /// The domain of a cookie and whether it is for that host only; nil if the host may not set it.
    private static func scope(_ attribute: String?, host: Host) -> (Host, isHostOnly: Bool)? {
        guard let attribute else { return (host, isHostOnly: true) }
        guard let domain = try? Host(attribute) else { return nil }
        // An address or a single label names one host, whatever the attribute says.
        guard domain != host || host.isAddress || isSingleLabel(host) else {
            return (host, isHostOnly: false)
        }
        guard domain != host else { return (host, isHostOnly: true) }
        guard !isSingleLabel(domain), host.isAtOrBelow(domain) else { return nil }
        return (domain, isHostOnly: false)
    }

    private static func isSingleLabel(_ domain: Host) -> Bool {
        domain.text.utf8.split(separator: UInt8(ascii: ".")).count < 2
    }

    /// RFC 6265 §5.1.4.
    private static func defaultPath(_ url: WebSocketURL) -> [UInt8] {
        let path = Array(url.path.utf8)
        let end = path.lastIndex(of: UInt8(ascii: "/")) ?? 0
        return end == 0 ? [UInt8(ascii: "/")] : Array(path[..<end])
    }

    /// RFC 6265 §5.1.4.
    private static func pathMatches(_ path: some Collection<UInt8>, _ cookiePath: [UInt8]) -> Bool {
        guard path.starts(with: cookiePath) else { return false }
        return path.count == cookiePath.count || cookiePath.last == UInt8(ascii: "/")
            || path.dropFirst(cookiePath.count).first == UInt8(ascii: "/")
    }

    private static func isMeant(_ cookie: Cookie, for url: WebSocketURL) -> Bool {
        let isForHost =
            cookie.isHostOnly ? cookie.domain == url.place : url.place.isAtOrBelow(cookie.domain)
        return isForHost && (url.isSecure || !cookie.isSecure)
            && pathMatches(url.path.utf8, cookie.path)
    }

    /// Whether a cookie meets the promise of its name's prefix (RFC 6265bis §4.1.3).
    private static func prefixIsTrue(_ cookie: Cookie, setDomain: String?) -> Bool {
        func begins(with prefix: String) -> Bool {
            cookie.name.prefix(prefix.utf8.count).equalsIgnoringCase(prefix.utf8)
        }
        if begins(with: "__Host-") {
            return cookie.isSecure && setDomain == nil && cookie.path == [UInt8(ascii: "/")]
        }
        return cookie.isSecure || !begins(with: "__Secure-")
    }

    /// Whether a cookie from an unencrypted connection would replace or hide a Secure one (RFC 6265bis
    /// §5.7, "leave secure cookies alone").
    private func wouldHideSecureCookie(_ new: Cookie) -> Bool {
        cookies.contains { old in
            old.isSecure && old.name == new.name && Self.pathMatches(new.path, old.path)
                && (new.domain == old.domain || new.domain.isAtOrBelow(old.domain)
                    || old.domain.isAtOrBelow(new.domain))
        }
    }
}
