/// Where the bytes are to go.
package enum ConnectTarget: Sendable, Hashable {
    /// A TCP host by name or address (IPv6 without brackets).
    case host(String, port: UInt16)
    /// A Unix stream socket.
    case unix(path: String)
    /// A connected socket of the caller's, set to non-blocking and used as it is.
    case adopted(descriptor: Int32, closingAtEnd: Bool)
}

/// All that is needed to open a connection.
package struct ConnectPlan: Sendable {
    package var target: ConnectTarget
    /// The proxy to go through; only for `.host`.
    package var proxy: Proxy?
    /// TLS to the target; `nil` for none.
    package var tls: TLSOptions?
    /// The name that the certificate is checked against, unless `tls` names another.
    package var serverName: String
    /// Set after the defaults and before connecting; not on an adopted socket.
    package var socketOptions: [SocketOption] = []
    /// The end of everything, resolution included.
    package var deadline = Deadline.never
    /// Limits of the single stages; the deadline holds as well.
    package var connectTimeout: Duration?
    package var proxyTimeout: Duration?
    package var tlsTimeout: Duration?

    package init(target: ConnectTarget, serverName: String) {
        self.target = target
        self.serverName = serverName
    }
}

/// Opens connections: socket, proxy, TLS, in this order.
package enum Connector {
    /// Connects as planned.
    ///
    /// `wakeUp` ends it from another thread, and later the stream's waits.
    package static func connect(
        _ plan: ConnectPlan,
        wakeUp: WakeUp
    ) throws(TransportError) -> any ByteStream {
        let stream = SocketStream(try openSocket(plan, wakeUp: wakeUp), wakeUp: wakeUp)
        guard let tls = plan.tls else { return stream }
        return try TLSStream.connect(
            over: stream,
            to: TLSPeer(name: tls.serverName ?? plan.serverName, endpoint: "\(plan.target)"),
            options: tls,
            until: plan.deadline.earlier(Deadline(plan.tlsTimeout))
        )
    }

    private static func openSocket(
        _ plan: ConnectPlan,
        wakeUp: WakeUp
    ) throws(TransportError) -> Socket {
        let deadline = plan.deadline.earlier(Deadline(plan.connectTimeout))
        switch plan.target {
        case .host(let host, let port):
            let addresses = try Resolver.addresses(
                host: host,
                port: port,
                wakeUp: wakeUp,
                until: deadline
            )
            var race = AddressRace(
                host: host,
                addresses: addresses,
                options: plan.socketOptions,
                wakeUp: wakeUp
            )
            return try race.run(until: deadline)
        case .unix(let path):
            return try openUnixSocket(
                path: path,
                options: plan.socketOptions,
                wakeUp: wakeUp,
                until: deadline
            )
        case .adopted(let descriptor, let closingAtEnd):
            return try Socket(adopting: descriptor, closingAtEnd: closingAtEnd)
        }
    }

    private static func openUnixSocket(
        path: String,
        options: [SocketOption],
        wakeUp: WakeUp,
        until deadline: Deadline
    ) throws(TransportError) -> Socket {
        let address = try SocketAddress(unixPath: path)
        while true {
            let socket = try Socket(for: address)
            try socket.apply(options, to: address)
            switch socket.connect(to: address) {
            case .success: return socket
            case .failure(let error) where error.isWouldBlock:
                // The listener's queue is full, and there is nothing to poll for: look again soon.
                if deadline.isPast { throw .timedOut(.connecting) }
                var none: [PollEntry] = []
                let pause = Deadline.after(.milliseconds(5)).earlier(deadline)
                _ = try Poll.wait(for: &none, wakeUp: wakeUp, until: pause)
            case .failure(let error):
                let attempt = ConnectAttempt(address: "\(address)", error: error)
                throw .connectFailed(host: path, attempts: [attempt])
            }
        }
    }
}
