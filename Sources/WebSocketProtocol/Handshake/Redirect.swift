package import HTTPTypes

/// Where a client goes next.
package struct Redirect: Sendable, Hashable {
    package var url: WebSocketURL
    /// Whether it is another origin, which gets none of the first one's credentials and cookies:
    /// neither those of the URL, which are gone already, nor `HTTPFields.withoutCredentials`' ones.
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
    /// it is no redirect, or none are followed.
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
    /// These fields without what is meant for one origin alone: the host, cookies, and credentials,
    /// tokens and keys as far as the field's name tells them.
    package var withoutCredentials: HTTPFields {
        HTTPFields(filter { $0.name != .hostField && !Self.isSecret(name: $0.name) })
    }
}
