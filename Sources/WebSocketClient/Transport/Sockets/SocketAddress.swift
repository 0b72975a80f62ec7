#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#elseif canImport(Darwin)
    import Darwin
#else
    #error("The C library must be Glibc, Musl, Android's or Darwin's.")
#endif

/// An address as connect(2) takes it: IPv4, IPv6 or a Unix path.
package struct SocketAddress: Sendable, Hashable {
    /// The bytes of a `sockaddr` of the family.
    private let bytes: [UInt8]

    /// Copies a `sockaddr` that the system filled.
    init(_ address: UnsafePointer<sockaddr>, length: Int) {
        bytes = [UInt8](UnsafeRawBufferPointer(start: address, count: length))
    }

    /// The address that a socket is bound to; `nil` if it has none.
    init?(localOf descriptor: Int32) {
        self.init { getsockname(descriptor, $0, $1) }
    }

    /// The address that a socket is connected to; `nil` if it isn't.
    init?(peerOf descriptor: Int32) {
        self.init { getpeername(descriptor, $0, $1) }
    }

    private init?(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout.size(ofValue: storage))
        let address = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
                call(rebound, &length) == 0 && length > 0
                    ? SocketAddress(rebound, length: Int(length)) : nil
            }
        }
        guard let address else { return nil }
        self = address
    }

    /// The address of a Unix socket.
    package init(unixPath path: String) throws(TransportError) {
        var address = sockaddr_un()
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        let characters = Array(path.utf8)
        guard !characters.isEmpty, characters.count < capacity, !characters.contains(0) else {
            throw .invalidArgument(
                "A Unix socket's path must have 1 to \(capacity - 1) bytes and no NUL."
            )
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: characters) }
        bytes = withUnsafeBytes(of: &address) { [UInt8]($0) }
    }

    /// The 4 or 16 bytes of an Internet address; `nil` for a Unix path.
    var addressBytes: [UInt8]? {
        switch family {
        case AF_INET: Array(bytes[4..<8])
        case AF_INET6: Array(bytes[8..<24])
        default: nil
        }
    }

    var family: Int32 {
        Int32(withSockaddr { address, _ in address.pointee.sa_family })
    }

    /// TCP port; 0 for a Unix path.
    package var port: UInt16 {
        // Both Internet families keep the port at offset 2, in network order.
        isUnix || bytes.count < 4 ? 0 : UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }

    package var isIPv6: Bool { family == AF_INET6 }
    package var isUnix: Bool { family == AF_UNIX }

    /// Lends the address to a system call.
    func withSockaddr<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        // Aligned for the largest of them, which an array of bytes may not be.
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { destination in
            destination.copyBytes(from: bytes)
            return destination.withMemoryRebound(to: sockaddr.self) { rebound in
                guard let address = rebound.baseAddress else { preconditionFailure("never empty") }
                return body(UnsafePointer(address), socklen_t(bytes.count))
            }
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// "192.0.2.1:443", "[2001:db8::1]:443" or "unix:/path".
    package var description: String {
        guard !isUnix else {
            let path = bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }
            return "unix:" + String(decoding: path, as: UTF8.self)
        }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let code = withSockaddr { address, length in
            getnameinfo(
                address,
                length,
                &host,
                socklen_t(host.count),
                &port,
                socklen_t(port.count),
                NI_NUMERICHOST | NI_NUMERICSERV
            )
        }
        guard code == 0 else { return "unknown address" }
        let (hostText, portText) = (String(nullTerminated: host), String(nullTerminated: port))
        return isIPv6 ? "[\(hostText)]:\(portText)" : "\(hostText):\(portText)"
    }
}

extension String {
    /// The text before the first NUL of a C buffer.
    init(nullTerminated buffer: [CChar]) {
        self.init(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }
}
