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

/// A stream socket whose calls don't block, except `receiveSoon`; the descriptor is closed when the
/// last reference is released.
///
/// As every call in flight holds a reference, a descriptor can't be closed, and its number reused,
/// while a thread still uses it. In a forked child it transfers and ends nothing: the connection
/// belongs to the parent.
package final class Socket: Sendable {
    /// The origin of a descriptor, which decides whether its settings may be changed.
    private enum Origin {
        /// Made by this package, which may change its settings.
        case made
        /// Given by the caller, who may hold duplicates that share its settings.
        case adopted
    }

    package let descriptor: Int32
    private let origin: Origin
    private let process = ProcessGeneration.current

    #if canImport(Glibc)
        private static let streamType = Int32(SOCK_STREAM.rawValue)
    #else
        private static let streamType = Int32(SOCK_STREAM)
    #endif

    /// A new socket for addresses of the same family as `address`.
    init(for address: SocketAddress) throws(TransportError) {
        #if os(Linux)
            let kind = Int32(SOCK_STREAM.value | SOCK_CLOEXEC.value | SOCK_NONBLOCK.value)
            descriptor = socket(address.family, kind, 0)
        #else
            descriptor = socket(address.family, SOCK_STREAM, 0)
        #endif
        origin = .made
        guard descriptor >= 0 else { throw .system(call: "socket", .current) }
        #if !os(Linux)
            try SystemCalls.setCloseOnExec(descriptor)
            try SystemCalls.setNonBlocking(descriptor)
            var one: Int32 = 1
            setsockopt(
                descriptor,
                SOL_SOCKET,
                SO_NOSIGPIPE,
                &one,
                socklen_t(MemoryLayout<Int32>.size)
            )
        #endif
    }

    /// A connected stream socket that was made elsewhere; its settings aren't changed.
    ///
    /// It is closed with this object, or at once if it can't be used.
    package init(adopting descriptor: Int32) throws(TransportError) {
        self.descriptor = descriptor
        origin = .adopted
        guard descriptor >= 0 else {
            throw .invalidArgument("An adopted descriptor can't be negative.")
        }
        var kind: Int32 = 0
        var length = socklen_t(MemoryLayout.size(ofValue: kind))
        guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &length) == 0 else {
            throw .system(call: "getsockopt", .current)
        }
        guard kind == Socket.streamType else {
            throw .invalidArgument("An adopted descriptor must be a stream socket.")
        }
    }

    /// A connection that a listener of this package has accepted.
    package init(accepted descriptor: Int32) throws(TransportError) {
        self.descriptor = descriptor
        origin = .made
        try SystemCalls.setCloseOnExec(descriptor)
    }

    deinit {
        if descriptor >= 0 { SystemCalls.close(descriptor) }
    }

    package func set(_ option: SocketOption) throws(TransportError) {
        let result = option.value.withUnsafeBytes {
            setsockopt(
                descriptor,
                option.level,
                option.name,
                $0.baseAddress,
                socklen_t($0.count)
            )
        }
        guard result == 0 else { throw .system(call: "setsockopt", .current) }
    }

    /// Starts to connect; true if the connection is made already.
    func connect(to address: SocketAddress) -> Result<Bool, ErrorNumber> {
        let result = address.withSockaddr { systemConnect(descriptor, $0, $1) }
        if result == 0 { return .success(true) }
        let error = ErrorNumber.current
        // An interrupted connect(2) goes on in the background like any other.
        return error == .inProgress || error == .interrupted ? .success(false) : .failure(error)
    }

    /// The error of a connect that has been waited for; `nil` if it succeeded.
    func takeError() -> ErrorNumber? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout.size(ofValue: code))
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
            return .current
        }
        return code == 0 ? nil : ErrorNumber(rawValue: code)
    }

    /// Whether the socket is connected to itself. Without a listener, that can happen if the system
    /// chooses the target's port as the local one (RFC 9293 §3.5, simultaneous open).
    var isConnectedToItself: Bool {
        guard let local = SocketAddress(localOf: descriptor),
            let peer = SocketAddress(peerOf: descriptor)
        else { return false }
        return !local.isUnix && local == peer
    }

    /// A forked child shares the connection with its parent, and must not consume its bytes.
    @inline(__always)
    private func refuseInChild() throws(TransportError) {
        guard process.isCurrent else {
            throw .invalidArgument(
                "The connection belongs to the parent process; open another after fork."
            )
        }
    }

    @inline(__always)
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer {
        guard !buffer.isEmpty else { return .bytes(0) }
        try refuseInChild()
        let result = SystemCalls.retrying {
            recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        }
        return try transfer(of: result)
    }

    /// Allows `receiveSoon` to wait; other calls still don't. False for an adopted socket, which isn't
    /// changed.
    func allowShortWaits() -> Bool {
        guard origin == .made else { return false }
        let microseconds = Deadline.moment / .microseconds(1)
        var time = timeval(tv_sec: 0, tv_usec: suseconds_t(microseconds))
        let length = socklen_t(MemoryLayout.size(ofValue: time))
        return setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, length) == 0
            && SystemCalls.setBlocking(descriptor)
    }

    /// Waits briefly for bytes, if `allowShortWaits` has succeeded.
    func receiveSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        guard !buffer.isEmpty else { return .bytes(0) }
        try refuseInChild()
        // Not `retrying`: each time it would wait anew.
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        guard count < 0 else { return try transfer(of: .success(count)) }
        let error = ErrorNumber.current
        return error == .interrupted ? .wouldBlock(.read) : try transfer(of: .failure(error))
    }

    @inline(__always)
    private func transfer(
        of received: Result<Int, ErrorNumber>
    ) throws(TransportError) -> Transfer {
        switch received {
        case .success(0): return .endOfStream
        case .success(let count): return .bytes(count)
        case .failure(let error) where error.isWouldBlock: return .wouldBlock(.read)
        case .failure(let error): throw .system(call: "recv", error)
        }
    }

    /// Sends what goes at once; with `endsRecord`, the kernel puts what comes later into another buffer.
    @inline(__always)
    func send(
        _ bytes: UnsafeRawBufferPointer,
        endsRecord: Bool = false
    ) throws(TransportError) -> Transfer {
        guard !bytes.isEmpty else { return .bytes(0) }
        try refuseInChild()
        var flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        if endsRecord { flags |= Int32(MSG_EOR) }
        switch SystemCalls.retrying({
            systemSend(descriptor, bytes.baseAddress, bytes.count, flags)
        }) {
        case .success(let count): return .bytes(count)
        case .failure(let error) where error.isWouldBlock: return .wouldBlock(.write)
        case .failure(let error): throw .system(call: "send", error)
        }
    }

    /// How many sent bytes the peer's system has not acknowledged; `nil` if unknown. Only TCP
    /// acknowledges: bytes that a Unix socket no longer holds have been read, or dropped at its end.
    var unacknowledgedBytes: Int? {
        guard let local = SocketAddress(localOf: descriptor),
            [AF_INET, AF_INET6].contains(local.family)
        else { return nil }
        return SystemCalls.unacknowledgedBytes(descriptor)
    }

    /// Has the socket count as full with this many unsent bytes; false for a Unix socket, which has no such
    /// option, and for an adopted one, which stays as it is.
    ///
    /// Linux looks at the number before it takes a new buffer of up to 64 KiB for bytes, and not while there is room
    /// in the last one: it wants records that end.
    func limitUnsentBytes(_ count: Int) -> Bool {
        guard origin == .made else { return false }
        var value = UInt32(clamping: count)
        let length = socklen_t(MemoryLayout.size(ofValue: value))
        return setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &value, length) == 0
    }

    func shutDownWriting() {
        guard process.isCurrent else { return }
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    func shutDown() {
        guard process.isCurrent else { return }
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
    }
}

// The methods above hide the C functions of the same names.

private func systemConnect(
    _ descriptor: Int32,
    _ address: UnsafePointer<sockaddr>,
    _ length: socklen_t
) -> Int32 {
    connect(descriptor, address, length)
}

@inline(__always)
private func systemSend(
    _ descriptor: Int32,
    _ bytes: UnsafeRawPointer?,
    _ count: Int,
    _ flags: Int32
) -> Int {
    send(descriptor, bytes, count, flags)
}

#if canImport(Glibc)
    extension __socket_type {
        fileprivate var value: UInt32 { rawValue }
    }
#elseif canImport(Musl)
    extension Int32 {
        fileprivate var value: Int32 { self }
    }
#endif

extension SocketOption {
    /// The system's numbers, kept here so that the options themselves don't import the C library.
    enum Number {
        static let socketLevel = SOL_SOCKET
        static let tcpLevel = Int32(IPPROTO_TCP)
        static let ipLevel = Int32(IPPROTO_IP)
        static let ipv6Level = Int32(IPPROTO_IPV6)
        static let keepAlive = SO_KEEPALIVE
        static let reuseAddress = SO_REUSEADDR
        static let receiveBufferSize = SO_RCVBUF
        static let sendBufferSize = SO_SNDBUF
        static let noDelay = TCP_NODELAY
        #if os(Linux)
            static let keepAliveIdle = TCP_KEEPIDLE
            static let userTimeout = TCP_USER_TIMEOUT
            static let bindToDevice = SO_BINDTODEVICE
            static let mark = SO_MARK
        #else
            static let keepAliveIdle = TCP_KEEPALIVE
        #endif
        static let keepAliveInterval = TCP_KEEPINTVL
        static let keepAliveCount = TCP_KEEPCNT
    }
}
