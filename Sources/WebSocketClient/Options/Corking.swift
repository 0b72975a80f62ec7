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
/// A corked `send` returns once its message has been checked, compressed and masked into the
/// connection's buffer of 256 KiB. The buffer goes out
///
/// * when it is full; then `send` waits for the peer, as without corking;
/// * when a call on the same connection is about to wait for a message;
/// * before a control frame, a batch, a large message, a file and the close frame;
/// * with `flush()`;
/// * at the latest after the chosen time, as far as the peer takes it.
///
/// If you wait for answers by other means than this connection's calls, such as poll(2) on
/// ``WebSocket/fileDescriptor``, call `flush()` first.
///
/// All messages keep their order, from several threads too. As `send` returns before its message goes
/// out, it can't report a later failure: the next call does, and ``ConnectionEnd/unsentMessages`` says
/// how many messages were lost in this way. `abort()` drops corked messages; a socket that is released
/// without being closed writes as many as the system takes at once.
public enum Corking: Sendable, Hashable {
    /// Each message is sent at once.
    case off
    /// A message waits for others at most this long, by default 200 µs. Zero or less means ``off``. The
    /// system's timers keep the time to about 100 µs.
    case upTo(Duration = .microseconds(200))

    /// How long a message may wait; `nil` if it doesn't.
    var delay: Duration? {
        switch self {
        case .upTo(let delay) where delay > .zero: delay
        case .upTo, .off: nil
        }
    }
}
