/// The readiness of one connection's descriptor, and the slots where tasks wait for it.
///
/// The descriptor is registered once, for as long as this lives: the reactor reports each change to
/// both slots. There is one for receiving and one for sending, as with TLS either may have to wait for
/// either direction.
final class Readiness: @unchecked Sendable {
    // Safe to send: `key` changes only before anybody else has a reference.
    let receiving = WaitSlot()
    let sending = WaitSlot()

    let reactor: Reactor
    /// Kept, so that the descriptor is still open when it is deregistered.
    private let stream: any ByteStream
    private var key: UInt64 = 0
    private let writeRest: @Sendable () -> Void

    /// Registers a stream's descriptor. `writeRest` is called on the reactor's thread when the descriptor has
    /// become ready and no task waits to send; it must not wait.
    init(
        of stream: any ByteStream,
        on reactor: Reactor,
        writeRest: @escaping @Sendable () -> Void
    ) throws(TransportError) {
        self.reactor = reactor
        self.stream = stream
        self.writeRest = writeRest
        key = try reactor.add(self, descriptor: stream.descriptor)
    }

    deinit {
        reactor.remove(key, descriptor: stream.descriptor)
    }

    /// Wakes whoever waits, to look at the connection again.
    func knock() {
        receiving.knock()
        sending.knock()
    }

    /// The descriptor has become ready.
    func report(_ ready: Interest, ended: Interest) {
        receiving.report(ready, ended: ended)
        // Over TLS, a writer may wait for input; the end of input alone is no reason to wake it.
        let isOver = ended.contains(.write)
        if !sending.report(ready, ended: isOver ? ended : []) { write() }
    }

    /// Writes what tasks and threads have left.
    func write() {
        writeRest()
        // A task may be waiting for its bytes to be written, no matter by whom.
        sending.knock()
    }

    /// Has the reactor write what is left.
    func writeLater() { reactor.write(self) }
}
