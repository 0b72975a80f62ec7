import Synchronization

/// TLS over another stream.
///
/// OpenSSL's object may be used by one thread at a time, so it is under a lock, held while it computes
/// and never during a wait or a system call. Ciphertext goes in and out through buffers with locks of
/// their own, so that a reader of the socket and a writer to it don't wait for each other. Locks are
/// taken in the order incoming, outgoing, engine.
package final class TLSStream: ByteStream {
    /// Ciphertext on its way to the socket.
    private struct Outgoing: ~Copyable, Sendable {
        var buffer = TLSBuffer()
        /// The plaintext that was encrypted last, unless all of it has been reported as written.
        var chunk: Chunk?
        /// Whether nothing more will be written: when `buffer` is empty, the lower stream ends too.
        var isFinishing = false
        /// How much plaintext has been encrypted, wrapping around.
        var plaintextCount: UInt64 = 0
        /// Where plaintext ends in the ciphertext, kept once somebody has asked for acknowledgements.
        var marks: AcknowledgementMarks?

        /// How much of the plaintext hasn't been reported as written.
        var unreportedCount: UInt64 { chunk.map { UInt64($0.plaintext - $0.reported) } ?? 0 }
    }

    /// Plaintext whose ciphertext is on its way.
    ///
    /// It is reported as written in proportion to the ciphertext that has left, and completely with
    /// the last byte, so that a slow peer's progress can be seen.
    private struct Chunk {
        let plaintext: Int
        /// How much the buffer held when it contained the whole chunk.
        let ciphertext: Int
        var sent = 0
        var reported = 0

        /// How much plaintext has left since the last call.
        mutating func takeProgress() -> Int {
            let total = sent >= ciphertext ? plaintext : sent * plaintext / ciphertext
            defer { reported = total }
            return total - reported
        }
    }

    /// Ciphertext on its way from the socket.
    private struct Incoming: ~Copyable, Sendable {
        var buffer = TLSBuffer()
        /// How much to read from the socket at once: little while little comes, as an idle connection
        /// should hold little memory.
        var readSize = TLSStream.shortestRead
        /// Whether the socket gave less than it was asked for.
        var isDrained = false
        /// Whether the engine has something to return without more input.
        var hasBufferedInput = false
    }

    /// How much plaintext is encrypted at once: the ciphertext of 15 full records is the largest below
    /// 256 KiB, the most efficient size for write(2).
    private static let writeSize = 15 * 16384
    /// How much to read from the socket at once while little comes.
    private static let shortestRead = 8 * 1024
    /// The most to read from the socket at once; more would leave the cache before it is used.
    private static let longestRead = 128 * 1024

    private let lower: any ByteStream
    private let engine: Locked<TLSEngine>
    private let incoming = Locked(Incoming())
    private let outgoing = Locked(Outgoing())
    /// The last result of `acknowledgedBytes`.
    private let acknowledged = Atomic<UInt64>(0)
    /// Whether the writer can't go on before the peer has sent the rest of a handshake message.
    private let writerNeedsInput = Atomic<Bool>(false)
    /// Whether the last read carried no data.
    private let isFruitless = Atomic<Bool>(false)
    /// Whether ciphertext is left that no writer waits to send: an alert, the answer to a key update,
    /// the end.
    private let hasLeftovers = Atomic<Bool>(false)

    init(over lower: any ByteStream, engine: consuming TLSEngine) {
        self.lower = lower
        self.engine = Locked(engine)
    }

    /// Performs a client's handshake.
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

    /// The parameters that the handshake has agreed on.
    package var session: TLSSession { engine.withLock { $0.session } }

    package func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        try read(into: buffer, soon: false)
    }

    package func readSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        // Nobody else waits for the lock of the incoming bytes: there is only one reader.
        try read(into: buffer, soon: true)
    }

    package var hasBufferedInput: Bool { engine.withLock { $0.hasBufferedInput } }

    package func mayHaveMore(afterReading count: Int, of room: Int) -> Bool {
        count == room || incoming.withLock { $0.hasBufferedInput || !$0.isDrained }
    }

    private func read(
        into buffer: UnsafeMutableRawBufferPointer,
        soon: Bool
    ) throws(TransportError) -> Transfer {
        guard !buffer.isEmpty else { return .bytes(0) }
        return try incoming.withLock { incoming throws(TransportError) in
            if let transfer = try decrypt(into: buffer, &incoming) { return transfer }
            switch try fill(&incoming, soon: soon) {
            case .bytes: break
            case .wouldBlock(let interest): return .wouldBlock(interest)
            case .endOfStream: throw .truncated
            }
            if let transfer = try decrypt(into: buffer, &incoming) { return transfer }
            isFruitless.store(true, ordering: .relaxed)
            return .wouldBlock(.read)
        }
    }

    /// Decrypts what has arrived; `nil` if more is needed.
    private func decrypt(
        into buffer: UnsafeMutableRawBufferPointer,
        _ incoming: inout Incoming
    ) throws(TransportError) -> Transfer? {
        let (result, hasOutput, hasBufferedInput) = engine.withLock { engine in
            if !incoming.buffer.isEmpty { engine.receive(&incoming.buffer) }
            let result = Result { () throws(TransportError) in
                engine.hasBufferedInput ? try engine.decrypt(into: buffer) : .needsInput
            }
            return (result, engine.hasOutput, engine.hasBufferedInput)
        }
        incoming.hasBufferedInput = hasBufferedInput
        // An alert, or the answer to a key update. A writer that is sending takes it along; bytes that
        // the socket doesn't take now go out with the next call.
        if hasOutput { sendIfIdle() }
        switch try result.get() {
        case .bytes(let count):
            isFruitless.store(false, ordering: .relaxed)
            return .bytes(count)
        case .ended: return .endOfStream
        case .needsOutput: return .wouldBlock(.write)
        case .done, .needsInput: return nil
        }
    }

    /// Encrypts and sends; plaintext counts as written when its ciphertext leaves.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer {
        guard !bytes.isEmpty else { return .bytes(0) }
        return try outgoing.withLock { outgoing throws(TransportError) in
            if outgoing.chunk == nil {
                let chunk = UnsafeRawBufferPointer(rebasing: bytes.prefix(TLSStream.writeSize))
                switch try encrypt(chunk, into: &outgoing.buffer) {
                case .bytes(let count):
                    outgoing.chunk = Chunk(plaintext: count, ciphertext: outgoing.buffer.count)
                    outgoing.plaintextCount &+= UInt64(count)
                    if outgoing.marks != nil { mark(&outgoing) }
                // `wait` knows what this writer is really waiting for.
                default: return .wouldBlock(.write)
                }
            }
            let blocked = try send(&outgoing)
            let count = outgoing.chunk?.takeProgress() ?? 0
            if outgoing.chunk?.reported == outgoing.chunk?.plaintext { outgoing.chunk = nil }
            noteLeftovers(outgoing)
            return count > 0 ? .bytes(count) : .wouldBlock(blocked ?? .write)
        }
    }

    @discardableResult
    package func wait(
        for interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        if interest.contains(.read) {
            if hasBufferedInput { return .read }
            if isFruitless.load(ordering: .relaxed), deadline.isPast { throw .timedOut(nil) }
        }
        if interest.contains(.write), writerNeedsInput.load(ordering: .acquiring) {
            return try waitForHandshakeMessage(interest, until: deadline)
        }
        guard hasLeftovers.load(ordering: .relaxed) else {
            return try lower.wait(for: interest, until: deadline)
        }
        let ready = try lower.wait(for: interest.union(.write), until: deadline)
        if ready.contains(.write) { sendIfIdle() }
        return ready.intersection(interest)
    }

    /// A writer waits for the rest of a handshake message. A reader in another thread may get it, so
    /// look again soon.
    private func waitForHandshakeMessage(
        _ interest: Interest,
        until deadline: Deadline
    ) throws(TransportError) -> Interest {
        if deadline.isPast { throw .timedOut(nil) }
        let pause = Deadline.after(.milliseconds(5))
        do throws(TransportError) {
            try lower.wait(for: .read, until: deadline.earlier(pause))
        } catch .timedOut where !deadline.isPast {}
        return interest
    }

    package var sentBytes: UInt64 { lower.sentBytes }

    package var writtenBytes: UInt64 {
        outgoing.withLock { $0.plaintextCount &- $0.unreportedCount }
    }

    /// Counts up to the last chunk whose ciphertext has been acknowledged in full, as the peer can't
    /// decrypt part of a record. Marks are kept from the first call on.
    package var acknowledgedBytes: UInt64? {
        guard let count = lower.acknowledgedBytes else { return nil }
        // `abort` calls this too and must not wait: while another call writes, the last known count is
        // returned.
        let plaintext = outgoing.withLockIfAvailable { outgoing in
            if outgoing.marks == nil {
                outgoing.marks = AcknowledgementMarks()
                mark(&outgoing)
            }
            let plaintext = outgoing.marks?.plaintext(ofAcknowledged: count) ?? 0
            acknowledged.store(plaintext, ordering: .relaxed)
            return plaintext
        }
        return plaintext ?? acknowledged.load(ordering: .relaxed)
    }

    /// Marks the end of all plaintext so far at the end of all ciphertext so far.
    private func mark(_ outgoing: inout Outgoing) {
        outgoing.marks?.append(
            plaintext: outgoing.plaintextCount,
            ciphertext: lower.writtenBytes &+ UInt64(outgoing.buffer.count)
        )
    }

    package func limitUnsentBytes(_ count: Int) { lower.limitUnsentBytes(count) }

    package func nudge() { lower.nudge() }

    package func finishWriting() {
        engine.withLock { $0.shutDown() }
        outgoing.withLock { outgoing in
            outgoing.isFinishing = true
            do throws(TransportError) {
                try sendAll(&outgoing)
            } catch {
                lower.finishWriting()
            }
            noteLeftovers(outgoing)
        }
    }

    package func abort() {
        lower.abort()
    }

    /// Reads what the socket has.
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
            // Half of a handshake message has arrived, and OpenSSL writes nothing until the other half
            // is here. Perhaps nobody is reading, so read it here.
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

    /// Writes once; returns what to wait for if something is left.
    private func send(_ outgoing: inout Outgoing) throws(TransportError) -> Interest? {
        engine.withLock { $0.takeOutput(into: &outgoing.buffer) }
        if !outgoing.buffer.isEmpty {
            switch try lower.write(outgoing.buffer.bytes) {
            case .bytes(let count):
                outgoing.buffer.removeFirst(count)
                outgoing.chunk?.sent += count
            case .wouldBlock(let interest): return interest
            case .endOfStream: throw .system(call: "send", .brokenPipe)
            }
        }
        guard outgoing.buffer.isEmpty else { return .write }
        if outgoing.isFinishing {
            outgoing.isFinishing = false
            lower.finishWriting()
        }
        return nil
    }

    /// Sends until all is out or the socket takes no more.
    private func sendAll(_ outgoing: inout Outgoing) throws(TransportError) {
        var left = Int.max
        while try send(&outgoing) != nil, outgoing.buffer.count < left {
            left = outgoing.buffer.count
        }
    }

    private func sendIfIdle() {
        // The next read or write will find a failure of the socket as well.
        _ = try? outgoing.withLockIfAvailable { outgoing throws(TransportError) in
            _ = try send(&outgoing)
            noteLeftovers(outgoing)
        }
    }

    private func noteLeftovers(_ outgoing: borrowing Outgoing) {
        hasLeftovers.store(
            !outgoing.buffer.isEmpty && (outgoing.chunk == nil || outgoing.isFinishing),
            ordering: .relaxed
        )
    }

    /// Performs the handshake as client or server, depending on the engine's context.
    ///
    /// Throws `.timedOut(.tlsHandshake)` at the deadline, whatever the peer sends meanwhile.
    func handshake(until deadline: Deadline) throws(TransportError) {
        do throws(TransportError) {
            while try !advanceHandshake(until: deadline) {
                if deadline.isPast { throw .timedOut(.tlsHandshake) }
            }
        } catch .timedOut {
            throw .timedOut(.tlsHandshake)
        } catch {
            // The peer may still get the alert with the reason.
            _ = try? outgoing.withLock { outgoing throws(TransportError) in try sendAll(&outgoing) }
            throw error.duringTLSHandshake
        }
    }

    /// One step of the handshake, and a wait if necessary; true if it is complete.
    private func advanceHandshake(until deadline: Deadline) throws(TransportError) -> Bool {
        let step = try engine.withLock { engine throws(TransportError) in try engine.handshake() }
        let blocked = try outgoing.withLock { outgoing throws(TransportError) in
            try send(&outgoing)
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
            throw .tls(TLSError(.handshake, reason: "the peer closed the connection"))
        }
        return false
    }
}

extension TransportError {
    /// The same error as one of the TLS handshake: by itself, a lost connection doesn't mention TLS.
    fileprivate var duringTLSHandshake: TransportError {
        switch self {
        case .system(_, .connectionReset), .system(_, .brokenPipe):
            .tls(TLSError(.handshake, reason: "the peer reset the connection"))
        case .system(let call, let error):
            .tls(TLSError(.handshake, reason: "\(call) failed: \(error)"))
        case .truncated: .tls(TLSError(.handshake, reason: "the peer closed the connection"))
        default: self
        }
    }
}
