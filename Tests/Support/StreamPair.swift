import Glibc
package import WebSocketClient

/// Both ends of a socketpair(2) as streams, which this package may set up as it likes.
package func makeStreamPair() throws -> (SocketStream, SocketStream) {
    let (one, two) = try makeDescriptorPair()
    return (
        SocketStream(try Socket(accepted: one), wakeUp: try WakeUp()),
        SocketStream(try Socket(accepted: two), wakeUp: try WakeUp())
    )
}

package func makeDescriptorPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
        throw SupportError("socketpair: errno \(errno)")
    }
    return (ends[0], ends[1])
}
