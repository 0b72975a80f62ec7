import Glibc
package import WebSocketClient

extension ByteStream {
    /// Writes all of it, within a limit that only a hang exceeds.
    package func writeAll(_ bytes: [UInt8]) throws(TransportError) {
        try writeAll(bytes, until: .ample)
    }

    /// Waits, and returns the bytes of one read; `nil` at the end of the stream.
    package func readSome(
        _ limit: Int = 65536,
        until deadline: Deadline = .ample
    ) throws(TransportError) -> [UInt8]? {
        try readSome(atMost: limit, until: deadline)
    }

    /// Reads exactly `count` bytes, fewer only at the end of the stream.
    package func readExactly(
        _ count: Int,
        until deadline: Deadline = .ample
    ) throws(TransportError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let piece = try readSome(count - bytes.count, until: deadline) else { break }
            bytes += piece
        }
        return bytes
    }
}

/// Resets a stream, so that the peer's next call fails.
package func reset(_ stream: any ByteStream) throws {
    var linger = linger(l_onoff: 1, l_linger: 0)
    let size = socklen_t(MemoryLayout.size(ofValue: linger))
    guard setsockopt(stream.descriptor, SOL_SOCKET, SO_LINGER, &linger, size) == 0 else {
        throw SupportError("SO_LINGER: errno \(errno)")
    }
}
