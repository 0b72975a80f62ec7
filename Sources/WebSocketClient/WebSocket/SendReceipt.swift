/// A place in the bytes that a connection sends: the end of a message, and of all that went before it.
///
/// ```swift
/// let receipt = try socket.sendWithReceipt("order 4711")
/// try socket.waitUntilAcknowledged(receipt, timeout: .seconds(5))
/// ```
///
/// Once ``WebSocket/acknowledged`` has reached a receipt, the peer's TCP has acknowledged every byte up to
/// there; under TLS, every byte of the records in which it is encrypted. So the peer's operating system
/// has the message, and neither a loss on the way nor the end of this process can take it back.
///
/// That isn't a promise that the peer's *program* has read it, or ever will: a server that crashes loses
/// what its system holds, and behind a proxy or a load balancer the acknowledgement is the proxy's. Only an
/// answer of the application's own says that a message has been dealt with. Nor does a missing
/// acknowledgement say that a message was lost: it may have arrived when the connection broke.
///
/// Receipts of one connection are in the order of sending. A receipt of an earlier connection is greater
/// than any place of a later one, so it never counts as acknowledged by a connection that didn't carry it.
public struct SendReceipt: Sendable, Hashable, Comparable {
    /// The bytes of all frames up to this place, headers included, before TLS; 0 where the connection
    /// begins. The difference of two positions of one connection is what was sent between them.
    public let position: UInt64
    /// Which connection of this process; later ones have greater numbers.
    let connection: UInt64

    init(position: UInt64, connection: UInt64) {
        self.position = position
        self.connection = connection
    }

    /// Less than every receipt.
    static let none = SendReceipt(position: 0, connection: .max)

    /// Whether a receipt is covered by what covers the other one.
    public static func < (left: SendReceipt, right: SendReceipt) -> Bool {
        left.connection == right.connection
            ? left.position < right.position : left.connection > right.connection
    }
}
