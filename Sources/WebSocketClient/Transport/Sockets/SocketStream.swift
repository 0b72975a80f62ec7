import Synchronization

/// A TCP or Unix connection as it is.
package final class SocketStream: ByteStream {
    private let socket: Socket
    private let wakeUp: WakeUp
    private let canReadSoon: Bool
    private let sent = Atomic<UInt64>(0)

    /// `wakeUp` ends the waits of this stream, and those of the caller while it connected.
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

    /// The end of a socket that was shut down here isn't one that the peer has sent.
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
        // In this order: what is sent in between counts as not acknowledged.
        let count = sent.load(ordering: .acquiring)
        guard let rest = socket.unacknowledgedBytes else { return nil }
        return count - min(count, UInt64(rest))
    }

    /// A peer that never lets anybody wait must not keep a call from seeing this.
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
