/// A position in the bytes that a connection sends: the end of a message and of everything before it.
///
/// ```swift
/// let receipt = try socket.sendWithReceipt("order 4711")
/// try socket.waitUntilAcknowledged(receipt, timeout: .seconds(5))
/// ```
///
/// Once ``WebSocket/acknowledged`` has reached a receipt, the peer's TCP has acknowledged every byte up
/// to there; under TLS, every byte of the records that contain it. So the peer's operating system has
/// the message, and neither packet loss nor the end of this process can undo that.
///
/// That isn't a promise that the peer's *program* has read it, or ever will: a server that crashes loses
/// what its system holds, and behind a proxy or a load balancer the acknowledgement is the proxy's.
/// Only the application's own answer shows that a message has been processed. Nor does a missing
/// acknowledgement mean that a message was lost: it may have arrived just before the connection broke.
///
/// Receipts of one connection compare in the order of sending. A receipt of an earlier connection is
/// greater than all receipts of a later one, so no connection acknowledges a message that it didn't
/// carry.
public struct SendReceipt: Sendable, Hashable, Comparable {
    /// The bytes of all frames up to this position, headers included, before TLS; 0 at the connection's
    /// beginning. The difference between two positions on one connection is the number of bytes between
    /// them.
    public let position: UInt64
    /// The number of the connection in this process; later ones have greater numbers.
    let connection: UInt64

    init(position: UInt64, connection: UInt64) {
        self.position = position
        self.connection = connection
    }

    /// Less than every receipt.
    static let none = SendReceipt(position: 0, connection: .max)

    /// Whether whatever acknowledges the second also acknowledges the first.
    public static func < (left: SendReceipt, right: SendReceipt) -> Bool {
        left.connection == right.connection
            ? left.position < right.position : left.connection > right.connection
    }
}
