#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The other end: accepts connections, for the loopback server and for tests.
package final class Listener: Sendable {
    private let socket: Socket
    private let wakeUp: WakeUp
    /// Where it listens; the port is the one that the system chose if 0 was asked for.
    package let address: SocketAddress

    /// Listens on a numeric address of this machine, port 0 for a free one.
    package convenience init(
        host: String = "127.0.0.1",
        port: UInt16 = 0
    ) throws(TransportError) {
        let wakeUp = try WakeUp()
        let addresses = try Resolver.addresses(
            host: host,
            port: port,
            wakeUp: wakeUp,
            until: .after(.seconds(10))
        )
        guard let address = addresses.first else {
            throw .invalidArgument("\(host) has no address to listen on.")
        }
        try self.init(address, wakeUp: wakeUp)
    }

    /// Listens on a Unix socket whose file must not exist yet, and isn't removed.
    package convenience init(unixPath: String) throws(TransportError) {
        try self.init(try SocketAddress(unixPath: unixPath), wakeUp: try WakeUp())
    }

    private init(_ address: SocketAddress, wakeUp: WakeUp) throws(TransportError) {
        self.wakeUp = wakeUp
        socket = try Socket(for: address)
        if !address.isUnix { try socket.set(.reuseAddress) }
        let descriptor = socket.descriptor
        guard address.withSockaddr({ bind(descriptor, $0, $1) }) == 0 else {
            throw .system(call: "bind", .current)
        }
        guard listen(descriptor, Int32(SOMAXCONN)) == 0 else {
            throw .system(call: "listen", .current)
        }
        if address.isUnix {
            self.address = address
        } else {
            guard let local = SocketAddress(localOf: descriptor) else {
                throw .system(call: "getsockname", .current)
            }
            self.address = local
        }
    }

    /// The port that clients connect to; 0 for a Unix socket.
    package var port: UInt16 { address.port }

    /// Waits for a client.
    ///
    /// Throws `.timedOut`, and `.aborted` after `close()`.
    package func accept(until deadline: Deadline) throws(TransportError) -> any ByteStream {
        while true {
            let ready = try Poll.wait(
                for: .read,
                on: socket.descriptor,
                wakeUp: wakeUp,
                until: deadline
            )
            guard ready != nil else { throw .timedOut(.connecting) }
            let descriptor = systemAccept(socket.descriptor)
            guard descriptor >= 0 else { continue }
            let accepted = try Socket(accepted: descriptor)
            if !address.isUnix { try accepted.set(.noDelay(true)) }
            return SocketStream(accepted, wakeUp: try WakeUp())
        }
    }

    /// Stops accepting, now and later; connections that were accepted stay.
    package func close() {
        wakeUp.signal()
        socket.shutDown()
    }
}

private func systemAccept(_ descriptor: Int32) -> Int32 {
    accept(descriptor, nil, nil)
}

extension SocketOption {
    fileprivate static let reuseAddress = SocketOption(
        level: Number.socketLevel,
        name: Number.reuseAddress,
        value: 1
    )
}
