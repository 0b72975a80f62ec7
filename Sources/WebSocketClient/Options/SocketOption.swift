/// A socket option, as setsockopt(2) takes it.
///
/// Options are set after the package's own ``defaults`` and before the connection is opened, so buffer
/// sizes affect TCP's window. If the system refuses an option, connecting fails.
public struct SocketOption: Sendable, Hashable {
    /// The protocol level, such as `SOL_SOCKET` or `IPPROTO_TCP`.
    public let level: Int32

    /// The option's number at that level, such as `SO_KEEPALIVE`.
    public let name: Int32

    /// The bytes of the value, in the machine's own order.
    public let value: [UInt8]

    /// Makes an option from the bytes of its value, a C structure for example.
    public init(level: Int32, name: Int32, value: [UInt8]) {
        self.level = level
        self.name = name
        self.value = value
    }

    /// Makes an option whose value is a C `int`, as most are.
    public init(level: Int32, name: Int32, value: Int32) {
        self.init(level: level, name: name, value: withUnsafeBytes(of: value) { [UInt8]($0) })
    }
}

extension SocketOption {
    /// The options that every TCP connection starts with: no delay, and keep-alive probes after 30 idle
    /// seconds, every 10 seconds, at most 3 (websocket-client's values).
    ///
    /// A change affects the whole process, from the next connection on.
    public static var defaults: [SocketOption] {
        get { currentDefaults.withLock { $0 } }
        set { currentDefaults.withLock { $0 = newValue } }
    }

    private static let currentDefaults = Locked<[SocketOption]>([
        .noDelay(true),
        .keepAlive(true),
        .keepAliveIdle(seconds: 30),
        .keepAliveInterval(seconds: 10),
        .keepAliveCount(3),
    ])

    /// Sends small segments at once (`TCP_NODELAY`).
    public static func noDelay(_ isOn: Bool) -> SocketOption {
        SocketOption(level: Number.tcpLevel, name: Number.noDelay, value: isOn ? 1 : 0)
    }

    /// Probes a silent peer (`SO_KEEPALIVE`).
    public static func keepAlive(_ isOn: Bool) -> SocketOption {
        SocketOption(level: Number.socketLevel, name: Number.keepAlive, value: isOn ? 1 : 0)
    }

    /// Seconds of silence before the first probe (`TCP_KEEPIDLE`).
    public static func keepAliveIdle(seconds: Int32) -> SocketOption {
        SocketOption(level: Number.tcpLevel, name: Number.keepAliveIdle, value: seconds)
    }

    /// Seconds between probes (`TCP_KEEPINTVL`).
    public static func keepAliveInterval(seconds: Int32) -> SocketOption {
        SocketOption(level: Number.tcpLevel, name: Number.keepAliveInterval, value: seconds)
    }

    /// Unanswered probes after which the connection is lost (`TCP_KEEPCNT`).
    public static func keepAliveCount(_ count: Int32) -> SocketOption {
        SocketOption(level: Number.tcpLevel, name: Number.keepAliveCount, value: count)
    }

    /// Bytes of the kernel's receive buffer (`SO_RCVBUF`); Linux doubles the figure.
    public static func receiveBufferSize(_ bytes: Int32) -> SocketOption {
        SocketOption(level: Number.socketLevel, name: Number.receiveBufferSize, value: bytes)
    }

    /// Bytes of the kernel's send buffer (`SO_SNDBUF`); Linux doubles the figure.
    public static func sendBufferSize(_ bytes: Int32) -> SocketOption {
        SocketOption(level: Number.socketLevel, name: Number.sendBufferSize, value: bytes)
    }

    #if os(Linux)
        /// Milliseconds that sent bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
        public static func userTimeout(milliseconds: Int32) -> SocketOption {
            SocketOption(level: Number.tcpLevel, name: Number.userTimeout, value: milliseconds)
        }

        /// The network interface to use (`SO_BINDTODEVICE`).
        public static func bindToDevice(_ interface: String) -> SocketOption {
            SocketOption(
                level: Number.socketLevel,
                name: Number.bindToDevice,
                value: Array(interface.utf8)
            )
        }
    #endif
}
