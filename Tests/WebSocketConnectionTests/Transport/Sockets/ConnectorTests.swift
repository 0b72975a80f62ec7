import Glibc
import TestSupport
import Testing

@testable import WebSocketClient

@Suite("Connecting", .blocking)
struct ConnectorTests {
    private func connect(
        to host: String,
        port: UInt16,
        options: [SocketOption] = [],
        timeout: Duration = .ample
    ) throws -> any ByteStream {
        let host = try Host(host)
        var plan = ConnectPlan(target: .host(host, port: port), serverName: host)
        plan.socketOptions = options
        plan.connectTimeout = timeout
        return try Connector.connect(plan, wakeUp: try WakeUp())
    }

    @Test("Reaches IPv4, IPv6 and names", arguments: ["127.0.0.1", "::1", "localhost"])
    func reaches(host: String) throws {
        let listener = try Listener(host: host == "::1" ? "::1" : "127.0.0.1")
        let client = try connect(to: host, port: listener.port)
        let server = try listener.accept(until: .ample)
        try client.writeAll([1, 2], until: .ample)
        #expect(try server.readSome(until: .ample) == [1, 2])
    }

    @Test("Reaches a Unix socket, and names one that is not there")
    func unix() throws {
        let path = "/tmp/websocket-transport-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let plan = ConnectPlan(target: .unix(path: path), serverName: "localhost")
        #expect(
            throws: TransportError.connectFailed(
                host: path,
                attempts: [
                    ConnectionAttempt(address: "unix:" + path, number: ENOENT)
                ]
            )
        ) { try Connector.connect(plan, wakeUp: try WakeUp()) }
        let listener = try Listener(unixPath: path)
        defer { unlink(path) }
        let client = try Connector.connect(plan, wakeUp: try WakeUp())
        let server = try listener.accept(until: .ample)
        try server.writeAll([3], until: .ample)
        #expect(try client.readSome(until: .ample) == [3])
    }

    @Test(
        "A Unix path that doesn't fit is refused",
        arguments: ["", "a\0b", String(repeating: "x", count: 108)]
    )
    func longUnixPath(path: String) throws {
        #expect(throws: TransportError.self) { try SocketAddress(unixPath: path) }
    }

    @Test("A refused connection names the address and the reason")
    func refused() throws {
        let listener = try Listener()
        let port = listener.port
        listener.close()
        let error = #expect(throws: TransportError.self) {
            try connect(to: "127.0.0.1", port: port)
        }
        let attempt = ConnectionAttempt(address: "127.0.0.1:\(port)", number: ECONNREFUSED)
        #expect(error == .connectFailed(host: "127.0.0.1", attempts: [attempt]))
        #expect(error?.description.contains("Connection refused") == true)
    }

    @Test("The defaults and the user's options are set before connecting")
    func options() throws {
        let listener = try Listener()
        let client = try connect(
            to: "127.0.0.1",
            port: listener.port,
            options: [.keepAliveCount(7), .receiveBufferSize(50_000), .keepAlive(false)]
        )
        func value(_ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = -1
            var length = socklen_t(4)
            getsockopt(client.descriptor, level, name, &value, &length)
            return value
        }
        let tcp = Int32(IPPROTO_TCP)
        #expect(value(tcp, TCP_NODELAY) == 1)
        #expect(value(tcp, TCP_KEEPIDLE) == 30)
        #expect(value(tcp, TCP_KEEPINTVL) == 10)
        #expect(value(tcp, TCP_KEEPCNT) == 7)
        #expect(value(SOL_SOCKET, SO_KEEPALIVE) == 0)
        #expect(value(SOL_SOCKET, SO_RCVBUF) == 100_000)
        #expect(fcntl(client.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test("An option that the system refuses makes connecting fail")
    func badOption() throws {
        let listener = try Listener()
        let error = #expect(throws: TransportError.self) {
            try connect(
                to: "127.0.0.1",
                port: listener.port,
                options: [SocketOption(level: 12345, name: 6, value: 1)]
            )
        }
        guard case .system(call: "setsockopt", _) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    private func race(_ addresses: [SocketAddress], _ options: [SocketOption]) throws -> Socket {
        var race = AddressRace(
            host: "test",
            addresses: addresses,
            options: options,
            wakeUp: try WakeUp()
        )
        return try race.run(until: .ample)
    }

    @Test("An option of one address family doesn't keep the other from connecting")
    func familyOption() throws {
        let option = SocketOption(
            level: Int32(IPPROTO_IPV6),
            name: Int32(IPV6_UNICAST_HOPS),
            value: 9
        )
        let (four, six) = (try Listener(), try Listener(host: "::1"))
        let socket = try race([four.address, six.address], [option])
        #expect(SocketAddress(peerOf: socket.descriptor) == six.address)
        six.close()
        // The reason is given for the address that never got as far as connecting.
        let error = #expect(throws: TransportError.self) {
            try race([four.address, six.address], [option])
        }
        let text = error?.description ?? ""
        #expect(text.contains("\(four.address): setsockopt: Protocol not available"))
        #expect(text.contains("\(six.address): Connection refused"))
        #expect(
            throws: TransportError.system(call: "setsockopt", ErrorNumber(rawValue: ENOPROTOOPT))
        ) {
            try race([four.address], [option])
        }
    }

    /// A port that nobody uses.
    private func freePort() throws -> UInt16 {
        let listener = try Listener()
        defer { listener.close() }
        return listener.port
    }

    @Test("A socket that is connected to itself is detected")
    func selfConnection() throws {
        let address = try #require(
            try Resolver.addresses(
                host: "127.0.0.1",
                port: freePort(),
                wakeUp: WakeUp(),
                until: .never
            ).first
        )
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let socket = try Socket(accepted: descriptor)
        try #require(address.withSockaddr { bind(descriptor, $0, $1) } == 0)
        try #require(try socket.connect(to: address).get())
        #expect(socket.isConnectedToItself)
        let listener = try Listener()
        #expect(try !race([listener.address], []).isConnectedToItself)
    }

    @Test("A port without a listener refuses, even if the system chooses it for this end")
    func selfConnecting() throws {
        let port = try freePort()
        // IP_LOCAL_PORT_RANGE (Linux 6.3): the system has no other port to choose.
        let range = SocketOption(
            level: Int32(IPPROTO_IP),
            name: 51,
            value: Int32(bitPattern: UInt32(port) << 16 | UInt32(port))
        )
        let error = #expect(throws: TransportError.self) {
            try connect(to: "127.0.0.1", port: port, options: [range])
        }
        if case .system(call: "setsockopt", _) = error { return }
        let attempt = ConnectionAttempt(address: "127.0.0.1:\(port)", number: ECONNREFUSED)
        #expect(error == .connectFailed(host: "127.0.0.1", attempts: [attempt]))
    }

    @Test("A nudge ends a wait for several descriptors once, not for good")
    func nudgedWait() throws {
        let wakeUp = try WakeUp()
        wakeUp.nudge()
        var none: [PollEntry] = []
        #expect(try Poll.wait(for: &none, wakeUp: wakeUp, until: .ample))
        #expect(try !Poll.wait(for: &none, wakeUp: wakeUp, until: .after(.milliseconds(20))))
    }

    @Test("An unknown name is an address error with getaddrinfo's code")
    func unknownName() throws {
        let error = #expect(throws: TransportError.self) {
            try connect(to: "does-not-exist.invalid", port: 80)
        }
        guard case .addressNotFound(host: "does-not-exist.invalid", let code, _) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
        #expect(code == EAI_NONAME || code == EAI_AGAIN)
    }

    @Test("An empty host and one with NUL are refused", arguments: ["", "local\0host"])
    func badHost(host: String) throws {
        #expect(throws: InvalidURL.self) { try connect(to: host, port: 80) }
    }

    @Test("With a full backlog connecting times out, or another thread's abort ends it sooner")
    func timeOutAndAbort() throws {
        let full = try FullListener()
        #expect(throws: TransportError.timedOut(.connecting)) {
            try connect(to: "127.0.0.1", port: full.port, timeout: .milliseconds(100))
        }
        let wakeUp = try WakeUp()
        var plan = ConnectPlan(
            target: .host("127.0.0.1", port: full.port),
            serverName: "127.0.0.1"
        )
        plan.deadline = .ample
        let connecting = Background { [plan] in _ = try Connector.connect(plan, wakeUp: wakeUp) }
        usleep(20_000)
        wakeUp.signal()
        #expect(throws: TransportError.aborted) { try connecting.join() }
    }

    @Test("A silent address costs a quarter of a second if there is another one")
    func race() throws {
        let full = try FullListener()
        let listener = try Listener()
        let dead = try Listener()
        dead.close()
        let addresses = [full.address, dead.address, listener.address]
        var race = AddressRace(
            host: "test",
            addresses: addresses,
            options: [],
            wakeUp: try WakeUp()
        )
        var socket: Socket?
        let time = try elapsed { socket = try race.run(until: .ample) }
        #expect(time >= .milliseconds(240) && time < .ample)
        _ = try listener.accept(until: .ample)
        withExtendedLifetime(socket) {}
    }

    @Test("Each address that failed is in the error")
    func allFail() throws {
        let addresses = try (0..<3).map { index in
            let listener = try Listener(host: index == 1 ? "::1" : "127.0.0.1")
            defer { listener.close() }
            return listener.address
        }
        var race = AddressRace(
            host: "test",
            addresses: addresses,
            options: [],
            wakeUp: try WakeUp()
        )
        let error = #expect(throws: TransportError.self) {
            try race.run(until: .ample)
        }
        guard case .connectFailed(host: "test", let attempts) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
        let expected = AddressRace.interleaved(addresses).map {
            ConnectionAttempt(address: "\($0)", number: ECONNREFUSED)
        }
        #expect(attempts == expected)
    }

    @Test("Families are interleaved, beginning with the preferred one")
    func interleaving() throws {
        func addresses(_ hosts: [String]) throws -> [SocketAddress] {
            try hosts.flatMap {
                try Resolver.addresses(host: $0, port: 1, wakeUp: WakeUp(), until: .never)
            }
        }
        let given = try addresses(["::1", "::2", "::3", "127.0.0.1", "127.0.0.2"])
        let wanted = try addresses(["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"])
        #expect(AddressRace.interleaved(given) == wanted)
        #expect(AddressRace.interleaved([]) == [])
    }

    @Test("No descriptor stays open, whatever happens to the connection")
    func noLeak() throws {
        let listener = try Listener()
        let dead = try Listener()
        dead.close()
        func attempt() throws {
            let client = try connect(to: "localhost", port: listener.port)
            let server = try listener.accept(until: .ample)
            client.abort()
            server.finishWriting()
            #expect(throws: TransportError.self) { try connect(to: "127.0.0.1", port: dead.port) }
        }
        for _ in 0..<20 { try attempt() }
        #expect(connectedDescriptors(to: listener.port) == 0)
        #expect(connectedDescriptors(to: dead.port) == 0)
    }

    /// How many sockets of this process have `port` at either end, besides listeners.
    private func connectedDescriptors(to port: UInt16) -> Int {
        (Int32(0)..<1024).count { descriptor in
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout.size(ofValue: peer))
            let bigEndian = port.bigEndian
            return withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    guard getpeername(descriptor, address, &length) == 0 else { return false }
                    let isRemote = pointer.pointee.sin_port == bigEndian
                    length = socklen_t(MemoryLayout<sockaddr_in>.size)
                    getsockname(descriptor, address, &length)
                    return isRemote || pointer.pointee.sin_port == bigEndian
                }
            }
        }
    }
}

/// A listener whose queue is full, so that the next connection gets no answer.
private final class FullListener {
    let listener: Int32
    let address: SocketAddress
    private var fillers: [Int32] = []

    var port: UInt16 { address.port }

    init() throws {
        // Without listen(2), connections would be refused; a backlog of 0 holds one.
        let free = try Listener()
        address = free.address
        free.close()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        let descriptor = listener
        try #require(address.withSockaddr { bind(descriptor, $0, $1) } == 0)
        try #require(listen(listener, 0) == 0)
        for _ in 0..<4 {
            let filler = socket(
                AF_INET,
                Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue),
                0
            )
            _ = address.withSockaddr { connect(filler, $0, $1) }
            fillers.append(filler)
        }
        usleep(20_000)
    }

    deinit {
        for filler in fillers { close(filler) }
        close(listener)
    }
}
