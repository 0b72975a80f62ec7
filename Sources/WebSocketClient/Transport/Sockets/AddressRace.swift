// Happy Eyeballs, RFC 8305: a family that doesn't work costs a quarter of a second, not a time-out.

/// Connects to whichever of several addresses answers first.
struct AddressRace {
    /// RFC 8305 §5: "A simple implementation can have a fixed delay … recommended value is 250".
    static let stagger = Duration.milliseconds(250)

    private let host: String
    private let options: [SocketOption]
    private let wakeUp: WakeUp
    private var waiting: ArraySlice<SocketAddress>
    private var running: [(socket: Socket, address: SocketAddress)] = []
    private var failures: [ConnectionAttempt] = []
    /// The error of the options, if no address has got past them.
    private var optionFailure: TransportError?
    private var hasTriedToConnect = false

    init(host: String, addresses: [SocketAddress], options: [SocketOption], wakeUp: WakeUp) {
        self.host = host
        self.options = options
        self.wakeUp = wakeUp
        waiting = AddressRace.interleaved(addresses)[...]
    }

    /// Runs the race; the losers are closed.
    mutating func run(until deadline: Deadline) throws(TransportError) -> Socket {
        while true {
            if let winner = try startNext() { return winner }
            guard !running.isEmpty else {
                if let optionFailure, !hasTriedToConnect { throw optionFailure }
                throw .connectFailed(host: host, attempts: failures)
            }
            let nextStart = waiting.isEmpty ? Deadline.never : .after(AddressRace.stagger)
            if let winner = try awaitRunning(until: deadline, orUntil: nextStart) { return winner }
        }
    }

    /// Starts addresses until one is under way; returns a socket that connected at once.
    private mutating func startNext() throws(TransportError) -> Socket? {
        while let address = waiting.popFirst() {
            let socket: Socket
            do throws(TransportError) {
                socket = try Socket(for: address)
            } catch .system(let call, let error) {
                // For example, a family that the kernel doesn't support.
                fail(address, error, in: call)
                continue
            }
            do throws(TransportError) {
                try socket.apply(options, to: address)
            } catch .system(let call, let error) {
                // An option of one family must not keep the other from connecting.
                optionFailure = .system(call: call, error)
                fail(address, error, in: call)
                continue
            }
            hasTriedToConnect = true
            switch socket.connect(to: address) {
            case .success(true):
                if isGood(socket, at: address) { return socket }
            case .success(false):
                running.append((socket, address))
                return nil
            case .failure(let error):
                fail(address, error)
            }
        }
        return nil
    }

    private mutating func fail(
        _ address: SocketAddress,
        _ error: ErrorNumber,
        in call: String = "connect"
    ) {
        failures.append(ConnectionAttempt(address, error, in: call))
    }

    /// Refuses a socket that has connected to itself: nobody listens at its address.
    private mutating func isGood(_ socket: Socket, at address: SocketAddress) -> Bool {
        guard socket.isConnectedToItself else { return true }
        fail(address, .connectionRefused)
        return false
    }

    /// Waits for the winner, or until all have failed or it is time to start another.
    private mutating func awaitRunning(
        until deadline: Deadline,
        orUntil nextStart: Deadline
    ) throws(TransportError) -> Socket? {
        let started = running.count
        while running.count == started {
            var entries = running.map { PollEntry($0.socket.descriptor, for: .write) }
            let isReady = try Poll.wait(
                for: &entries,
                wakeUp: wakeUp,
                until: deadline.earlier(nextStart)
            )
            guard isReady else {
                if deadline.isPast { throw .timedOut(.connecting) }
                return nil
            }
            for index in entries.indices.reversed() where entries[index].isReady {
                let (socket, address) = running[index]
                if let error = socket.takeError() {
                    fail(address, error)
                } else if isGood(socket, at: address) {
                    return socket
                }
                running.remove(at: index)
            }
        }
        // One has failed: RFC 8305 lets the next begin at once.
        return nil
    }

    /// Alternates the families, beginning with the first address's (RFC 8305 §4).
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        let preferred = addresses.filter { $0.isIPv6 == first.isIPv6 }
        let others = addresses.filter { $0.isIPv6 != first.isIPv6 }
        var result: [SocketAddress] = []
        for index in 0..<max(preferred.count, others.count) {
            if index < preferred.count { result.append(preferred[index]) }
            if index < others.count { result.append(others[index]) }
        }
        return result
    }
}

extension Socket {
    /// Sets the defaults that this system knows, and then the user's options, all of which it must
    /// know.
    func apply(_ options: [SocketOption], to address: SocketAddress) throws(TransportError) {
        if !address.isUnix {
            for option in SocketOption.defaults { try? set(option) }
        }
        for option in options { try set(option) }
    }
}
