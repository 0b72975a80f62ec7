import struct WebSocketProtocol.Host
import struct WebSocketProtocol.InvalidURL

/// Asks a proxy for a tunnel and hands over the stream that leads through it.
package struct ProxyTunnel {
    let proxy: Proxy
    let host: Host
    let port: UInt16
    let wakeUp: WakeUp
    let deadline: Deadline

    package init(
        proxy: Proxy,
        host: Host,
        port: UInt16,
        wakeUp: WakeUp,
        deadline: Deadline
    ) {
        self.proxy = proxy
        self.host = host
        self.port = port
        self.wakeUp = wakeUp
        self.deadline = deadline
    }

    /// Checks, before anything is sent, that everything can be; returns the proxy's host.
    package static func check(_ proxy: Proxy) throws(TransportError) -> Host {
        switch proxy.kind {
        case .http, .https: try HTTPTunnel.check(proxy)
        case .socks4, .socks4a: try SOCKS4Tunnel.check(proxy)
        case .socks5, .socks5h: try SOCKS5Tunnel.check(proxy)
        }
        do throws(InvalidURL) {
            return try Host(proxy.host)
        } catch {
            throw .invalidArgument("The proxy's host can't be used. \(error)")
        }
    }

    /// Opens the tunnel over a connection to the proxy.
    package func open(over stream: any ByteStream) throws(TransportError) -> any ByteStream {
        do {
            let lower = try secure(stream)
            let dialogue = ProxyDialogue(stream: lower, deadline: deadline)
            switch proxy.kind {
            case .http, .https: try HTTPTunnel.open(self, dialogue)
            case .socks4, .socks4a: try SOCKS4Tunnel.open(self, dialogue)
            case .socks5, .socks5h: try SOCKS5Tunnel.open(self, dialogue)
            }
            return lower
        } catch {
            switch error {
            case .timedOut: throw .timedOut(.proxyHandshake)
            case .truncated, .system(_, .connectionReset), .system(_, .brokenPipe):
                throw .proxy(.closed)
            case .tls(let failure): throw .proxy(.tls(failure))
            default: throw error
            }
        }
    }

    private func secure(_ stream: any ByteStream) throws(TransportError) -> any ByteStream {
        guard proxy.kind == .https else { return stream }
        let name = try Host(serverName: proxy.tls.serverName ?? proxy.host)
        return try TLSStream.connect(
            over: stream,
            to: TLSPeer(name: name, endpoint: "\(proxy)"),
            options: proxy.tls,
            until: deadline
        )
    }

    /// The target's addresses, for the protocols by which the client resolves it.
    func resolve() throws(TransportError) -> [SocketAddress] {
        try Resolver.addresses(host: host.text, port: port, wakeUp: wakeUp, until: deadline)
    }
}

/// A dialogue with a proxy.
struct ProxyDialogue {
    let stream: any ByteStream
    let deadline: Deadline

    func send(_ bytes: [UInt8]) throws(TransportError) {
        try stream.writeAll(bytes, until: deadline)
    }

    /// Waits for bytes, at most `count`.
    func receive(atMost count: Int) throws(TransportError) -> [UInt8] {
        guard let bytes = try stream.readSome(atMost: count, until: deadline) else {
            throw .proxy(.closed)
        }
        return bytes
    }

    /// Waits for exactly `count` bytes.
    func receive(_ count: Int) throws(TransportError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += try receive(atMost: count - bytes.count) }
        return bytes
    }
}
