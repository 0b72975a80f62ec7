/// The limits of an HTTP head or body.
package struct HTTPLimits: Sendable, Hashable {
    /// All bytes of the head, interim responses included.
    package var maximumHeadBytes: Int
    /// One line of the head, continuations included.
    package var maximumLineBytes: Int
    /// The number of fields.
    package var maximumFieldCount: Int
    /// How much of a refusal's body is kept.
    package var maximumBodyBytes: Int

    /// The handshake's part of a connection's limits, clamped to a range that can't overflow.
    package init(_ limits: Limits = Limits()) {
        func usable(_ limit: Int) -> Int { min(max(limit, 0), 1 << 30) }
        maximumHeadBytes = usable(limits.maximumHandshakeBytes)
        maximumLineBytes = usable(limits.maximumHeaderLineBytes)
        maximumFieldCount = usable(limits.maximumHeaders)
        maximumBodyBytes = usable(limits.maximumRefusalBytes)
    }
}
