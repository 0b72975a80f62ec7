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

/// Accepts connections, for the loopback server and for tests.
package final class Listener: Sendable {
    private let socket: Socket
    private let wakeUp: WakeUp
    /// The address that it listens on; if port 0 was asked for, with the port that the system chose.
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

    /// Listens on a Unix socket. The file must not exist yet, and isn't removed.
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
    /// While the process or the system is out of descriptors, clients wait in the listener's queue, and
    /// this tries again from time to time. Throws `.timedOut`, and `.aborted` after `close()`.
    package func accept(until deadline: Deadline) throws(TransportError) -> any ByteStream {
        while true {
            let ready = try Poll.wait(
                for: .read,
                on: socket.descriptor,
                wakeUp: wakeUp,
                until: deadline
            )
            guard ready != nil else { throw .timedOut(.connecting) }
            do throws(TransportError) {
                if let stream = try acceptNow() { return stream }
            } catch .system(_, let error) where error.isShortage {
                try pause(until: deadline)
            }
        }
    }

    /// Accepts a waiting client; `nil` if it has gone.
    private func acceptNow() throws(TransportError) -> SocketStream? {
        // First of all, so that a shortage of descriptors leaves the client in the queue.
        let wakeUp = try WakeUp()
        switch SystemCalls.retrying({ systemAccept(socket.descriptor) }) {
        case .success(let descriptor):
            let accepted = try Socket(accepted: descriptor)
            // The options of a client that has gone can't be set; its stream will report the end.
            if !address.isUnix { try? accepted.set(.noDelay(true)) }
            return SocketStream(accepted, wakeUp: wakeUp)
        case .failure(let error) where error.isFaultOfListener || error.isShortage:
            throw .system(call: "accept", error)
        case .failure:
            // accept(2) also reports errors that the client's connection has had meanwhile.
            return nil
        }
    }

    /// Waits a moment, or until the deadline.
    private func pause(until deadline: Deadline) throws(TransportError) {
        var nothing: [PollEntry] = []
        let moment = Deadline.after(.milliseconds(50))
        let isFirst = moment.nanoseconds < deadline.nanoseconds
        _ = try Poll.wait(for: &nothing, wakeUp: wakeUp, until: isFirst ? moment : deadline)
    }

    /// Stops accepting for good; accepted connections stay open.
    package func close() {
        wakeUp.signal()
        socket.shutDown()
    }
}

private func systemAccept(_ descriptor: Int32) -> Int32 {
    accept(descriptor, nil, nil)
}

extension ErrorNumber {
    /// Whether a later accept(2) would fail too.
    fileprivate var isFaultOfListener: Bool {
        [EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP].contains(rawValue)
    }
}

extension SocketOption {
    fileprivate static let reuseAddress = SocketOption(
        level: Number.socketLevel,
        name: Number.reuseAddress,
        value: 1
    )
}
