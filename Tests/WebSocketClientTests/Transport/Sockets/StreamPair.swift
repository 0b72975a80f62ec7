import Glibc
import Testing

@testable import WebSocketClient

/// Both ends of a socketpair(2) as streams, which this package may set up as it likes.
func makeStreamPair() throws -> (SocketStream, SocketStream) {
    let (one, two) = try makeDescriptorPair()
    return (
        SocketStream(try Socket(accepted: one), wakeUp: try WakeUp()),
        SocketStream(try Socket(accepted: two), wakeUp: try WakeUp())
    )
}

func makeDescriptorPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
}
