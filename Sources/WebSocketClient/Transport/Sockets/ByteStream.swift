/// What a wait is for.
package struct Interest: OptionSet, Sendable, Hashable {
    package var rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Interest(rawValue: 1)
    package static let write = Interest(rawValue: 2)
}

/// What one read or write did.
package enum Transfer: Sendable, Hashable {
    /// So many bytes were moved, at least one unless the buffer was empty.
    case bytes(Int)
    /// None could be moved; wait for this and try again with the same bytes.
    case wouldBlock(Interest)
    /// The peer has ended its side cleanly; nothing more will arrive.
    case endOfStream
}

/// A connection that carries bytes both ways: the seam between transport and frames.
///
/// Nothing but `wait` waits, and `readSoon` for a moment. One thread at a time may read and one may write, both at once;
/// `wait`, `finishWriting` and `abort` may be called from any thread at any time.
/// The descriptor is closed when the last reference to the stream has gone.
package protocol ByteStream: AnyObject, Sendable {
    /// The socket, for poll(2) and socket options; not to be closed.
    var descriptor: Int32 { get }

    /// Whether the bytes are encrypted on the way.
    var isSecure: Bool { get }

    /// Takes what has arrived, up to the size of `buffer`.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer

    /// Takes what arrives within `Deadline.moment`; `.wouldBlock` if nothing does.
    ///
    /// For a wait that will be short if the peer answers: it saves the call that would wait.
    func readSoon(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer

    /// Whether another read would perhaps find something, after one that got `count` bytes into
    /// `room`; otherwise it is better to wait first.
    func mayHaveMore(afterReading count: Int, of room: Int) -> Bool

    /// Sends what can be sent at once, from the start of `bytes`.
    ///
    /// After `.wouldBlock` the next write must begin with the same bytes, to which others may have
    /// been added: some of them may be on their way already.
    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer

    /// All bytes that the operating system has taken, wrapping around: of a stream over another one,
    /// what that one has sent. 0 if that is not known.
    var sentBytes: UInt64 { get }

    /// Waits until one part of `interest` may be satisfied, and returns which ones, or none after a
    /// `nudge`. Throws `.timedOut` and `.aborted`.
    ///
    /// A deadline in the past still finds a stream that is ready now.
    @discardableResult
    func wait(for interest: Interest, until deadline: Deadline) throws(TransportError) -> Interest

    /// Lets a wait in another thread, or else the next one, return early.
    func nudge()

    /// Tells the peer that nothing more will come; doesn't wait and reports no errors.
    func finishWriting()

    /// Ends both directions at once and every wait with `.aborted`.
    func abort()
}

extension ByteStream {
    package var sentBytes: UInt64 { 0 }

    package func mayHaveMore(afterReading count: Int, of room: Int) -> Bool { count == room }

    /// A stream that can't wait while it reads.
    package func readSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        .wouldBlock(.read)
    }

    /// How many sent bytes the peer's system has not acknowledged; 0 if that is not known.
    package var unacknowledgedBytes: Int { SystemCalls.unacknowledgedBytes(descriptor) }
}
