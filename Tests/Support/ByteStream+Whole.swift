import Glibc
package import WebSocketClient

extension ByteStream {
    /// Writes all of it, waiting as long as it takes within the deadline.
    package func writeAll(
        _ bytes: [UInt8],
        until deadline: Deadline = .ample
    ) throws(TransportError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(TransportError) in
                var rest = buffer
                while !rest.isEmpty {
                    switch try write(rest) {
                    case .bytes(let count): rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    case .wouldBlock(let interest): try wait(for: interest, until: deadline)
                    case .endOfStream: throw .truncated
                    }
                }
            }
        }
        try result.get()
    }

    /// Reads what one read gives, after waiting for it; `nil` at the end of the stream.
    package func readSome(
        _ limit: Int = 65536,
        until deadline: Deadline = .ample
    ) throws(TransportError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(TransportError) in try read(into: buffer) }
            }
            switch try result.get() {
            case .bytes(let count): return Array(bytes[..<count])
            case .wouldBlock(let interest): try wait(for: interest, until: deadline)
            case .endOfStream: return nil
            }
        }
    }

    /// Reads exactly so many bytes, fewer only at the end of the stream.
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

/// Ends a stream the hard way: the peer's next call fails.
package func reset(_ stream: any ByteStream) throws {
    var linger = linger(l_onoff: 1, l_linger: 0)
    let size = socklen_t(MemoryLayout.size(ofValue: linger))
    guard setsockopt(stream.descriptor, SOL_SOCKET, SO_LINGER, &linger, size) == 0 else {
        throw SupportError("SO_LINGER: errno \(errno)")
    }
}
