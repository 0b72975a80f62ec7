package import HTTPTypes

/// Where a client goes next.
package struct Redirect: Sendable, Hashable {
    package var url: WebSocketURL
    /// Whether it is another origin: then whatever is bound to the first one must be dropped. The
    /// credentials of the URL are gone already.
    package var crossesOrigin: Bool
}

/// Which redirects are followed.
package struct RedirectPolicy: Sendable, Hashable {
    /// How many in a row; zero leaves every redirect to the caller as the response it is.
    package var limit: Int
    /// Whether one may lead from wss to ws.
    package var allowsDowngrade: Bool

    package init(limit: Int = 3, allowsDowngrade: Bool = false) {
        self.limit = limit
        self.allowsDowngrade = allowsDowngrade
    }

    /// Where a response to the handshake at `url` leads, after `followed` redirects so far; nil if
    /// it isn't a redirect, or redirects aren't followed.
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
    /// The fields that another origin may see as well: those that are known to be harmless, and those
    /// that the caller has marked.
    ///
    /// Unlisted fields stay behind: a field's name doesn't say whether its value is a secret.
    package func forOtherOrigin(marked: Set<HTTPField.Name>) -> HTTPFields {
        HTTPFields(filter { marked.contains($0.name) || Self.harmlessNames.contains($0.name) })
    }

    /// Preferences of a user agent, and what the handshake itself says. `Origin` names where the request
    /// comes from, which is the same wherever it goes.
    private static let harmlessNames: Set<HTTPField.Name> = [
        .accept, .acceptEncoding, .acceptLanguage, .cacheControl, .userAgent, .origin, .upgrade,
        .connection, .secWebSocketVersion, .priority,
    ]
}
