package import HTTPTypes

/// A redirect to follow.
package struct Redirect: Sendable, Hashable {
    package var url: WebSocketURL
    /// Whether it leads to another origin: then everything bound to the first one must be dropped. The
    /// URL's credentials have been removed already.
    package var crossesOrigin: Bool
}

/// Which redirects are followed.
package struct RedirectPolicy: Sendable, Hashable {
    /// How many in a row; with zero, the caller gets the redirecting response.
    package var limit: Int
    /// Whether a redirect may lead from wss to ws.
    package var allowsDowngrade: Bool

    package init(limit: Int = 3, allowsDowngrade: Bool = false) {
        self.limit = limit
        self.allowsDowngrade = allowsDowngrade
    }

    /// The redirect in a response to the handshake at `url`, after `followed` redirects; nil if it
    /// isn't a redirect, or redirects aren't followed.
    package func redirect(
        from url: WebSocketURL,
        by response: HandshakeResponse,
        followed: Int
    ) throws(RedirectFailure) -> Redirect? {
        guard Self.statusCodes.contains(response.statusCode), limit > 0 else { return nil }
        guard followed < limit else { throw .tooMany(maximum: limit) }
        let locations = response.headers[values: .location]
        guard locations.count == 1 else { throw .location(count: locations.count) }
        var next: WebSocketURL
        do throws(InvalidURL) {
            next = try url.resolved(locations[0])
        } catch {
            throw .invalidLocation(error)
        }
        guard next.isSecure || !url.isSecure || allowsDowngrade else { throw .downgrade }
        let crossesOrigin = !next.isSameOrigin(as: url)
        if !crossesOrigin, next.credentials == nil {
            next = next.with(credentials: url.credentials)
        }
        return Redirect(url: next, crossesOrigin: crossesOrigin)
    }

    private static let statusCodes: Set = [301, 302, 303, 307, 308]
}

extension HTTPFields {
    /// The fields that another origin may also see: those known to be harmless, and those that the
    /// caller has listed.
    ///
    /// All others are dropped: a field's name doesn't show whether its value is secret.
    package func forOtherOrigin(marked: Set<HTTPField.Name>) -> HTTPFields {
        HTTPFields(filter { marked.contains($0.name) || Self.harmlessNames.contains($0.name) })
    }

    /// A user agent's preferences, and the handshake's own fields. `Origin` says where the request
    /// comes from, which doesn't depend on its target.
    private static let harmlessNames: Set<HTTPField.Name> = [
        .accept, .acceptEncoding, .acceptLanguage, .cacheControl, .userAgent, .origin, .upgrade,
        .connection, .secWebSocketVersion, .priority,
    ]
}
