/// Whether messages are collected for a moment, so that many of them go out with one system call.
///
/// ```swift
/// var options = ConnectOptions()
/// options.corking = .upTo()
/// let socket = try WebSocket.connect(to: "wss://example.com/feed", options: options)
/// for price in prices { try socket.send(price) }
/// try socket.flush()
/// ```
///
/// A corked `send` returns once its message is in the connection's buffer of 256 KiB, where it has been checked,
/// compressed and masked. What is in the buffer goes out
///
/// * when the buffer is full; then `send` waits for the peer, as without corking;
/// * when a call on the same connection is about to wait for a message;
/// * before a control frame, a batch, a large message, a file and the close frame;
/// * with `flush()`;
/// * at the latest after the chosen time, as far as the peer takes it.
///
/// If you wait for answers by other means than this connection's calls, with poll(2) on
/// ``WebSocket/fileDescriptor`` for example, call `flush()` before.
///
/// All messages keep their order, from several threads too. As a `send` has returned before its message
/// goes out, it can't report what happens then: the next call does, and
/// ``ConnectionEnd/unsentMessages`` says how many messages were lost in this way. `abort()` drops what is
/// corked; a socket that is let go of writes what the system takes at once.
public enum Corking: Sendable, Hashable {
    /// Each message goes out at once.
    case off
    /// A message waits for others, at most this long: 200 µs if nothing else is said. Zero, or less, is
    /// the same as ``off``. The time is kept as exactly as the system's timers are, to about 100 µs.
    case upTo(Duration = .microseconds(200))

    /// How long a message may wait; `nil` if it doesn't.
    var delay: Duration? {
        switch self {
        case .upTo(let delay) where delay > .zero: delay
        case .upTo, .off: nil
        }
    }
}
