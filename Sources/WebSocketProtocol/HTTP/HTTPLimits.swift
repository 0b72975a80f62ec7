/// What an HTTP head or body may take, whatever the peer sends.
package struct HTTPLimits: Sendable, Hashable {
    /// All bytes of the head, interim responses included.
    package var maximumHeadBytes: Int
    /// One line of the head, continuations included.
    package var maximumLineBytes: Int
    /// The number of fields.
    package var maximumFieldCount: Int
    /// What is kept of the body of a refusal.
    package var maximumBodyBytes: Int

    /// The handshake's part of a connection's limits, within what can be counted with.
    package init(_ limits: Limits = Limits()) {
        func usable(_ limit: Int) -> Int { min(max(limit, 0), 1 << 30) }
        maximumHeadBytes = usable(limits.maximumHandshakeBytes)
        maximumLineBytes = usable(limits.maximumHeaderLineBytes)
        maximumFieldCount = usable(limits.maximumHeaders)
        maximumBodyBytes = usable(limits.maximumRefusalBytes)
    }
}
