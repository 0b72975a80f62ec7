package import WebSocketClient

extension Duration {
    /// A limit that only bounds a hang: a call that should end at once does so within this time even on
    /// a slow, busy machine with sanitizers. Anything that a test distinguishes from it lasts far
    /// longer, or forever.
    package static var ample: Duration { .seconds(60) }

    /// A time that a passing test never waits for: far longer than ``ample``.
    package static var endless: Duration { .seconds(3600) }
}

extension Deadline {
    /// A deadline that only bounds a hang.
    package static var ample: Deadline { .after(.ample) }
}
