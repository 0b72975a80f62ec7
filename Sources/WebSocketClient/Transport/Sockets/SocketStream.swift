import Synchronization

/// A plain TCP or Unix connection.
package final class SocketStream: ByteStream {
    private let socket: Socket
    private let wakeUp: WakeUp
    private let canReadSoon: Bool
    private let sent = Atomic<UInt64>(0)

    /// Signalling `wakeUp` ends this stream's waits; while connecting, it ended the caller's.
    package init(_ socket: Socket, wakeUp: WakeUp) {
        self.socket = socket
        self.wakeUp = wakeUp
        canReadSoon = socket.allowShortWaits()
    }

    package var descriptor: Int32 { socket.descriptor }
    package var isSecure: Bool { false }

    package func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        try refuseIfAborted()
        return try checked(socket.receive(into: buffer))
    }

    package func readSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        try refuseIfAborted()
        guard canReadSoon else { return .wouldBlock(.read) }
        return try checked(socket.receiveSoon(into: buffer))
    }

    /// The end of a socket that was shut down here doesn't come from the peer.
    private func checked(_ transfer: Transfer) throws(TransportError) -> Transfer {
        if transfer == .endOfStream, wakeUp.isSignalled { throw .aborted }
        return transfer
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        try refuseIfAborted()
        let transfer = try socket.send(bytes)
        if case .bytes(let count) = transfer {
            // One thread at a time writes, so it need not be a single atomic operation.
            sent.store(sent.load(ordering: .relaxed) &+ UInt64(count), ordering: .relaxed)
        }
        return transfer
    }

    package var sentBytes: UInt64 { sent.load(ordering: .relaxed) }
    package var writtenBytes: UInt64 { sentBytes }

    package var acknowledgedBytes: UInt64? {
        // In this order, bytes sent in between count as unacknowledged.
        let count = sent.load(ordering: .acquiring)
        guard let rest = socket.unacknowledgedBytes else { return nil }
        return count - min(count, UInt64(rest))
    }

    /// Checked even if a peer sends so fast that no call ever waits.
    @inline(__always)
    private func refuseIfAborted() throws(TransportError) {
        if wakeUp.isSignalled { throw .aborted }
    }

    @discardableResult
    package func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        let ready = try Poll.wait(
            for: interest,
            on: socket.descriptor,
            wakeUp: wakeUp,
            until: deadline
        )
        guard let ready else { throw .timedOut(nil) }
        return ready
    }

    package func nudge() { wakeUp.nudge() }

    package func finishWriting() {
        socket.shutDownWriting()
    }

    package func abort() {
        wakeUp.signal()
        socket.shutDown()
    }
}
