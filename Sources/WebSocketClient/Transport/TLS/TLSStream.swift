import Synchronization

/// TLS over another stream.
///
/// OpenSSL's object may be used by one thread at a time, so it lives under a lock, which is held
/// while it computes and never while anything waits or a system call runs. Ciphertext goes in and out
/// through buffers that have locks of their own: a reader that takes bytes from the socket and a writer
/// that gives bytes to it don't meet. Locks are taken in the order incoming, outgoing, engine.
package final class TLSStream: ByteStream {
    /// Ciphertext on its way to the socket.
    private struct Outgoing: ~Copyable, Sendable {
        var buffer = TLSBuffer()
        /// Plaintext that is in `buffer`, or was, and that the writer hasn't been told of.
        var unreported = 0
    }

    /// Ciphertext on its way from the socket.
    private struct Incoming: ~Copyable, Sendable {
        var buffer = TLSBuffer()
        /// So much is asked of the socket at once: little while little comes, as an idle
        /// connection should not hold much memory.
        var readSize = TLSStream.shortestRead
        /// The socket gave less than it was asked for.
        var isDrained = false
    }

    /// So much plaintext is encrypted before the socket is asked again: the ciphertext of 15 full
    /// records is the largest that stays below 256 KiB, the size of write(2) that moves most.
    private static let writeSize = 15 * 16384
    /// What is asked of the socket at once while little comes.
    private static let shortestRead = 8 * 1024
    /// The most that is asked of the socket at once; more leaves the cache before it is used.
    private static let longestRead = 128 * 1024

    private let lower: any ByteStream
    private let engine: Locked<TLSEngine>
    private let incoming = Locked(Incoming())
    private let outgoing = Locked(Outgoing())
    /// The writer can't go on before the peer has sent the rest of a handshake message.
    private let writerNeedsInput = Atomic<Bool>(false)

    init(over lower: any ByteStream, engine: consuming TLSEngine) {
        self.lower = lower
        self.engine = Locked(engine)
    }

    /// Makes a client's handshake.
    static func connect(
        over lower: any ByteStream,
        to peer: TLSPeer,
        options: TLSOptions,
        until deadline: Deadline
    ) throws(TransportError) -> TLSStream {
        let context = try TLSContextCache.context(for: options)
        let stream = TLSStream(
            over: lower,
            engine: try TLSEngine.make(context: context, peer: peer)
        )
        try stream.handshake(until: deadline)
        return stream
    }

    package var descriptor: Int32 { lower.descriptor }
    package var isSecure: Bool { true }

    /// What has been agreed in the handshake.
    package var session: TLSSession { engine.withLock { $0.session } }

    package func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        try read(into: buffer, soon: false)
    }

    package func readSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        // Nobody waits for the lock of the incoming bytes meanwhile: there is one reader.
        try read(into: buffer, soon: true)
    }

    package func mayHaveMore(afterReading count: Int, of room: Int) -> Bool {
        count == room || incoming.withLock { !$0.isDrained }
    }

    private func read(
        into buffer: UnsafeMutableRawBufferPointer,
        soon: Bool
    ) throws(TransportError) -> Transfer {
        guard !buffer.isEmpty else { return .bytes(0) }
        // One moment in all, or records that drip in would never let a time-out pass.
        var soon = soon
        return try incoming.withLock { incoming throws(TransportError) in
            while true {
                let (result, hasOutput) = engine.withLock { engine in
                    if !incoming.buffer.isEmpty { engine.receive(&incoming.buffer) }
                    let result = Result { () throws(TransportError) in
                        engine.hasBufferedInput ? try engine.decrypt(into: buffer) : .needsInput
                    }
                    return (result, engine.hasOutput)
                }
                // An alert, or the answer to a key update. A writer that is just sending takes it
                // along; what the socket doesn't take now goes with the next read or write.
                if hasOutput { flushIfIdle() }
                switch try result.get() {
                case .bytes(let count): return .bytes(count)
                case .ended: return .endOfStream
                case .needsOutput: return .wouldBlock(.write)
                case .done, .needsInput: break
                }
                switch try fill(&incoming, soon: soon) {
                case .bytes: soon = false
                case .wouldBlock(let interest): return .wouldBlock(interest)
                case .endOfStream: throw .truncated
                }
            }
        }
    }

    /// Encrypts and sends; asks to be called again with the same bytes until their ciphertext is out.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        guard !bytes.isEmpty else { return .bytes(0) }
        return try outgoing.withLock { outgoing throws(TransportError) in
            if let interest = try flush(&outgoing.buffer) { return .wouldBlock(interest) }
            if outgoing.unreported == 0 {
                let chunk = UnsafeRawBufferPointer(rebasing: bytes.prefix(TLSStream.writeSize))
                switch try encrypt(chunk, into: &outgoing.buffer) {
                case .bytes(let count): outgoing.unreported = count
                // `wait` knows what this writer really waits for.
                default: return .wouldBlock(.write)
                }
                if let interest = try flush(&outgoing.buffer) { return .wouldBlock(interest) }
            }
            defer { outgoing.unreported = 0 }
            return .bytes(outgoing.unreported)
        }
    }

    @discardableResult
    package func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        if interest.contains(.read), engine.withLock({ $0.hasBufferedInput }) { return .read }
        guard interest.contains(.write), writerNeedsInput.load(ordering: .acquiring) else {
            return try lower.wait(for: interest, until: deadline)
        }
        // A reader in another thread may be the one who gets it, so look again soon.
        let pause = Deadline.after(.milliseconds(5))
        do throws(TransportError) {
            try lower.wait(for: .read, until: deadline.earlier(pause))
        } catch .timedOut where !deadline.isPast {}
        return interest
    }

    package var sentBytes: UInt64 { lower.sentBytes }

    package func nudge() { lower.nudge() }

    package func finishWriting() {
        engine.withLock { $0.shutDown() }
        outgoing.withLock { _ = try? flush(&$0.buffer) }
        lower.finishWriting()
    }

    package func abort() {
        lower.abort()
    }

    /// Takes what the socket has.
    private func fill(
        _ incoming: inout Incoming,
        soon: Bool = false
    ) throws(TransportError) -> Transfer {
        let space = incoming.buffer.space(atLeast: incoming.readSize)
        let transfer = soon ? try lower.readSoon(into: space) : try lower.read(into: space)
        if case .bytes(let count) = transfer {
            incoming.buffer.didAppend(count)
            incoming.isDrained = count < space.count
            if count == space.count {
                incoming.readSize = TLSStream.longestRead
            } else if count < TLSStream.shortestRead {
                incoming.readSize = TLSStream.shortestRead
            }
        } else {
            incoming.buffer.releaseIfEmpty()
        }
        return transfer
    }

    private func encrypt(
        _ bytes: UnsafeRawBufferPointer,
        into buffer: inout TLSBuffer
    ) throws(TransportError) -> TLSEngine.Step {
        var step = try encryptOnce(bytes, into: &buffer)
        if case .needsInput = step {
            // Half of a handshake message has arrived, and until the other half is here OpenSSL
            // writes nothing. Perhaps nobody reads, so take it from the socket here.
            try incoming.withLockIfAvailable { incoming throws(TransportError) in
                guard case .bytes = try fill(&incoming) else { return }
                engine.withLock { $0.receive(&incoming.buffer) }
            }
            step = try encryptOnce(bytes, into: &buffer)
        }
        if case .needsInput = step {
            writerNeedsInput.store(true, ordering: .releasing)
        } else {
            writerNeedsInput.store(false, ordering: .releasing)
        }
        return step
    }

    private func encryptOnce(
        _ bytes: UnsafeRawBufferPointer,
        into buffer: inout TLSBuffer
    ) throws(TransportError) -> TLSEngine.Step {
        try engine.withLock { engine throws(TransportError) in
            let step = try engine.encrypt(bytes)
            engine.takeOutput(into: &buffer)
            return step
        }
    }

    /// Sends all there is; returns what to wait for if the socket doesn't take it.
    private func flush(_ buffer: inout TLSBuffer) throws(TransportError) -> Interest? {
        while true {
            while !buffer.isEmpty {
                switch try lower.write(buffer.bytes) {
                case .bytes(let count): buffer.removeFirst(count)
                case .wouldBlock(let interest): return interest
                case .endOfStream: return nil
                }
            }
            let isEmpty = engine.withLock { engine in
                engine.takeOutput(into: &buffer)
                return buffer.isEmpty
            }
            if isEmpty { return nil }
        }
    }

    private func flushIfIdle() {
        _ = try? outgoing.withLockIfAvailable { outgoing throws(TransportError) in
            try flush(&outgoing.buffer)
        }
    }

    /// Makes the handshake as client or server, as the engine's context says.
    func handshake(until deadline: Deadline) throws(TransportError) {
        do {
            while try !advanceHandshake(until: deadline) {}
        } catch .timedOut {
            throw .timedOut(.tlsHandshake)
        } catch {
            // The peer may still get the alert that tells it why.
            _ = try? outgoing.withLock { try flush(&$0.buffer) }
            throw error
        }
    }

    /// One step of the handshake, and a wait if there is need; true if it is complete.
    private func advanceHandshake(until deadline: Deadline) throws(TransportError) -> Bool {
        let step = try engine.withLock { engine throws(TransportError) in try engine.handshake() }
        let blocked = try outgoing.withLock { outgoing throws(TransportError) in
            try flush(&outgoing.buffer)
        }
        if let blocked {
            try lower.wait(for: blocked, until: deadline)
            return false
        }
        guard case .needsInput = step else {
            if case .done = step { return true }
            return false
        }
        let transfer = try incoming.withLock { incoming throws(TransportError) -> Transfer in
            let transfer = try fill(&incoming)
            if !incoming.buffer.isEmpty { engine.withLock { $0.receive(&incoming.buffer) } }
            return transfer
        }
        switch transfer {
        case .bytes: break
        case .wouldBlock(let interest): try lower.wait(for: interest, until: deadline)
        case .endOfStream:
            throw .tls(TLSFailure(.handshake, reason: "the peer closed the connection"))
        }
        return false
    }
}
