import Synchronization

/// A plain TCP or Unix connection.
package final class SocketStream: ByteStream {
    private let socket: Socket
    private let wakeUp: WakeUp
    private let canReadSoon: Bool
    private let sent = Atomic<UInt64>(0)
    /// How many bytes make a record, where the kernel shall hold few unsent ones, and how many it has so far.
    private let recordSize = Atomic<Int>(.max)
    private let recordCount = Atomic<Int>(0)

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
        // One thread at a time writes, so what is counted here need not be a single atomic operation.
        let record = recordCount.load(ordering: .relaxed) &+ bytes.count
        let endsRecord = record >= recordSize.load(ordering: .relaxed)
        let transfer = try socket.send(bytes, endsRecord: endsRecord)
        if case .bytes(let count) = transfer {
            sent.store(sent.load(ordering: .relaxed) &+ UInt64(count), ordering: .relaxed)
            recordCount.store(endsRecord ? 0 : record, ordering: .relaxed)
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

    package func limitUnsentBytes(_ count: Int) {
        guard socket.limitUnsentBytes(count) else { return }
        recordSize.store(max(count / 2, 1), ordering: .relaxed)
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
