package import WebSocketClient

extension Duration {
    /// A limit that only bounds a hang: what should end at once ends within this on a machine that is
    /// slow, busy and sanitized as well. Anything that a test distinguishes from it lasts far longer, or forever.
    package static var ample: Duration { .seconds(60) }

    /// What a test that passes never waits for: far longer than ``ample``.
    package static var endless: Duration { .seconds(3600) }
}

extension Deadline {
    /// A deadline that only bounds a hang.
    package static var ample: Deadline { .after(.ample) }
}
