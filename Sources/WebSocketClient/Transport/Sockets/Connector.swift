package import struct WebSocketProtocol.Host
package import struct WebSocketProtocol.InvalidURL

/// Where a connection leads.
package enum ConnectTarget: Sendable {
    /// A TCP host by name or address.
    case host(Host, port: UInt16)
    /// A Unix stream socket.
    case unix(path: String)
    /// The caller's socket, connected already and used as it is.
    case adopted(Socket)
}

/// Everything that is needed to open a connection.
package struct ConnectPlan: Sendable {
    package var target: ConnectTarget
    /// The proxy to go through; only for `.host`.
    package var proxy: Proxy?
    /// TLS to the target; `nil` for none.
    package var tls: TLSOptions?
    /// The name that the certificate is checked against, unless `tls` names another.
    package var serverName: Host
    /// Socket options, set after the defaults and before connecting; not on an adopted socket.
    package var socketOptions: [SocketOption] = []
    /// The deadline of the whole attempt, resolution included.
    package var deadline = Deadline.never
    /// Limits of the single stages; the deadline applies as well.
    package var connectTimeout: Duration?
    package var proxyTimeout: Duration?
    package var tlsTimeout: Duration?

    package init(target: ConnectTarget, serverName: Host) {
        self.target = target
        self.serverName = serverName
    }
}

extension ConnectPlan {
    /// The peer that the certificate must name.
    var tlsPeer: TLSPeer {
        get throws(TransportError) {
            TLSPeer(
                name: try tls?.serverName.map(Host.init(serverName:)) ?? serverName,
                endpoint: "\(target)"
            )
        }
    }
}

extension Host {
    /// The host of a `TLSOptions.serverName`.
    init(serverName: String) throws(TransportError) {
        do throws(InvalidURL) {
            self = try Host(serverName)
        } catch {
            throw .invalidArgument("The TLS server name can't be used. \(error)")
        }
    }
}

/// Opens the stream that a plan describes; signalling the wake-up ends the call, and later the stream's
/// waits.
package typealias StreamConnector = (ConnectPlan, WakeUp) throws(TransportError) -> any ByteStream

/// Opens connections: socket, proxy, TLS, in this order.
package enum Connector {
    /// Connects as planned.
    ///
    /// Signalling `wakeUp` from another thread ends the call, and later the stream's waits.
    package static func connect(
        _ plan: ConnectPlan,
        wakeUp: WakeUp
    ) throws(TransportError) -> any ByteStream {
        // Unusable options are detected before anything is sent.
        _ = try plan.tlsPeer
        let socket = try openSocket(plan, wakeUp: wakeUp)
        return try complete(plan, over: SocketStream(socket, wakeUp: wakeUp), wakeUp: wakeUp)
    }

    /// Performs the handshakes with the proxy and of TLS, over a stream to the proxy, or to the target
    /// if there is none.
    package static func complete(
        _ plan: ConnectPlan,
        over stream: any ByteStream,
        wakeUp: WakeUp
    ) throws(TransportError) -> any ByteStream {
        var stream = stream
        if let proxy = plan.proxy, case .host(let host, let port) = plan.target {
            let tunnel = ProxyTunnel(
                proxy: proxy,
                host: host,
                port: port,
                wakeUp: wakeUp,
                deadline: plan.deadline.earlier(Deadline(plan.proxyTimeout))
            )
            stream = try tunnel.open(over: stream)
        }
        if let tls = plan.tls {
            stream = try TLSStream.connect(
                over: stream,
                to: plan.tlsPeer,
                options: tls,
                until: plan.deadline.earlier(Deadline(plan.tlsTimeout))
            )
        }
        return stream
    }

    private static func openSocket(
        _ plan: ConnectPlan,
        wakeUp: WakeUp
    ) throws(TransportError) -> Socket {
        let deadline = plan.deadline.earlier(Deadline(plan.connectTimeout))
        let options = plan.socketOptions
        switch plan.target {
        case .host(let host, let port):
            do throws(TransportError) {
                let proxyHost = try plan.proxy.map { proxy throws(TransportError) in
                    try ProxyTunnel.check(proxy)
                }
                return try openSocket(
                    host: (proxyHost ?? host).text,
                    port: plan.proxy?.port ?? port,
                    options: options,
                    wakeUp: wakeUp,
                    until: deadline
                )
            } catch {
                switch error {
                case .addressNotFound where plan.proxy != nil,
                    .connectFailed where plan.proxy != nil:
                    throw .proxy(.unreachable(error.description))
                default: throw error
                }
            }
        case .unix(let path):
            return try openUnixSocket(
                path: path,
                options: options,
                wakeUp: wakeUp,
                until: deadline
            )
        case .adopted(let socket):
            return socket
        }
    }

    private static func openSocket(
        host: String,
        port: UInt16,
        options: [SocketOption],
        wakeUp: WakeUp,
        until deadline: Deadline
    ) throws(TransportError) -> Socket {
        let addresses = try Resolver.addresses(
            host: host,
            port: port,
            wakeUp: wakeUp,
            until: deadline
        )
        var race = AddressRace(host: host, addresses: addresses, options: options, wakeUp: wakeUp)
        return try race.run(until: deadline)
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
                throw .connectFailed(host: path, attempts: [ConnectionAttempt(address, error)])
            }
        }
    }
}
