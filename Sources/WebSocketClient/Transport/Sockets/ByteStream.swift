/// The readiness that a wait is for.
package struct Interest: OptionSet, Sendable, Hashable {
    package var rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Interest(rawValue: 1)
    package static let write = Interest(rawValue: 2)
}

/// The result of one read or write.
package enum Transfer: Sendable, Hashable {
    /// This many bytes were moved; at least one, unless the buffer was empty.
    case bytes(Int)
    /// No byte was moved; wait for this and try again with the same bytes.
    case wouldBlock(Interest)
    /// The peer has ended its side cleanly; nothing more will arrive.
    case endOfStream
}

// The rules of a byte stream, for those who implement one and for those who call it:
//
// 1. One call does one system call's worth of work, whatever the peer sends, and then returns, so
//    that the caller can look at the clock. A TLS record without data makes `read` return
//    `.wouldBlock`, not read on.
// 2. A call that would block says so. Only `wait` waits, and `readSoon` for a moment.
// 3. `wait` throws `.timedOut` once the deadline is past and nothing is ready. If the last read carried
//    no data, it then throws even if something is ready: a peer that keeps sending such records can't
//    hold a call beyond its limit.
// 4. Anything that a stream holds already (decrypted bytes, the end, a failure) counts as readable.
//    poll(2) doesn't see it, so whoever waits by other means than `wait` checks `hasBufferedInput`
//    first.
// 5. Bytes that a write left over must come first in the next one, as part of them may be encrypted
//    already.

/// A connection that carries bytes both ways: the interface between transport and frames.
///
/// One thread at a time may read and one may write, both at once; `wait`, `finishWriting` and `abort`
/// may be called from any thread at any time. The descriptor is closed when the last reference to the
/// stream is released.
package protocol ByteStream: AnyObject, Sendable {
    /// The socket, for poll(2) and socket options; not to be closed.
    var descriptor: Int32 { get }

    /// Whether the bytes are encrypted on the way.
    var isSecure: Bool { get }

    /// Whether the next read will find something without asking the socket.
    var hasBufferedInput: Bool { get }

    /// Takes what has arrived, at most the size of `buffer`.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer

    /// Takes bytes that arrive within `Deadline.moment`; `.wouldBlock` if none do.
    ///
    /// For a wait that is likely to be short: it saves a call of poll(2).
    func readSoon(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Transfer

    /// Whether another read may find something, after one that got `count` bytes into `room`; if not,
    /// it is better to wait first.
    func mayHaveMore(afterReading count: Int, of room: Int) -> Bool

    /// Sends as much as can be sent at once, from the start of `bytes`.
    ///
    /// What it leaves over must stand at the start of the next write, perhaps with more behind it.
    func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Transfer

    /// All bytes that the operating system has taken, wrapping around; a stream over another one
    /// returns the lower one's count. 0 if unknown.
    var sentBytes: UInt64 { get }

    /// All bytes that `write` has reported as taken, wrapping around: of plaintext, if the stream
    /// encrypts. 0 if unknown.
    var writtenBytes: UInt64 { get }

    /// How many of the written bytes, from the first one on, the peer's system has acknowledged, at
    /// least; `nil` if unknown. Still known after `abort`, and after the connection was lost.
    var acknowledgedBytes: UInt64? { get }

    /// Has `write` take nothing more while the system holds about this many bytes that it hasn't sent, so that
    /// later bytes follow soon. Where the system can't do that, or the socket isn't ours to set up, its
    /// buffer stays as large as it is.
    func limitUnsentBytes(_ count: Int)

    /// Waits until part of `interest` may be satisfied, and returns which part; empty if the wait
    /// was ended by a `nudge` or for the stream's own sake. Throws `.timedOut` and `.aborted`.
    ///
    /// A deadline in the past still finds a stream that is ready now; rule 3 says when it doesn't.
    @discardableResult
    func wait(for interest: Interest, until deadline: Deadline) throws(TransportError) -> Interest

    /// Makes a wait in another thread, or else the next one, return early.
    func nudge()

    /// Signals the end of the stream to the peer, behind all written bytes. It doesn't wait and reports
    /// no errors: bytes that the socket doesn't take now go out with a later call, if there is one.
    func finishWriting()

    /// Ends both directions at once; from then on every call throws `.aborted`.
    func abort()
}

extension ByteStream {
    package var sentBytes: UInt64 { 0 }
    package var writtenBytes: UInt64 { 0 }
    package var acknowledgedBytes: UInt64? { nil }
    package var hasBufferedInput: Bool { false }
    package func limitUnsentBytes(_ count: Int) {}

    package func mayHaveMore(afterReading count: Int, of room: Int) -> Bool { count == room }

    /// A stream that can't wait while it reads.
    package func readSoon(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(TransportError) -> Transfer {
        .wouldBlock(.read)
    }

    /// How many sent bytes the peer's system has not acknowledged; 0 if unknown.
    package var unacknowledgedBytes: Int { SystemCalls.unacknowledgedBytes(descriptor) ?? 0 }
}

extension ByteStream {
    /// Writes all of `bytes`, and waits for room as long as the deadline allows.
    ///
    /// Throws `.timedOut(nil)` once the deadline is past, however fast the peer reads.
    package func writeAll(
        _ bytes: UnsafeRawBufferPointer,
        until deadline: Deadline
    ) throws(TransportError) {
        var rest = bytes
        while !rest.isEmpty {
            switch try write(rest) {
            case .bytes(let count):
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                if !rest.isEmpty, deadline.isPast { throw .timedOut(nil) }
            case .wouldBlock(let interest): try wait(for: interest, until: deadline)
            case .endOfStream: throw .system(call: "send", .brokenPipe)
            }
        }
    }

    /// Writes all of `bytes`, and waits for room as long as the deadline allows.
    package func writeAll(_ bytes: [UInt8], until deadline: Deadline) throws(TransportError) {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(TransportError) in
            try writeAll(bytes, until: deadline)
        }
    }

    /// Waits for bytes, and returns how many one read has got into `buffer`; 0 at the end of the
    /// stream.
    ///
    /// Throws `.timedOut(nil)` if the deadline is past, even if bytes are there: a peer that sends byte
    /// by byte gains no time.
    package func readSome(
        into buffer: UnsafeMutableRawBufferPointer,
        until deadline: Deadline
    ) throws(TransportError) -> Int {
        while true {
            if deadline.isPast { throw .timedOut(nil) }
            switch try read(into: buffer) {
            case .bytes(let count): return count
            case .wouldBlock(let interest): try wait(for: interest, until: deadline)
            case .endOfStream: return 0
            }
        }
    }

    /// As above, into an array of at most `limit` bytes; `nil` at the end of the stream.
    package func readSome(
        atMost limit: Int,
        until deadline: Deadline
    ) throws(TransportError) -> [UInt8]? {
        var result = Result<Int, TransportError>.success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            result = Result { () throws(TransportError) in
                try readSome(into: UnsafeMutableRawBufferPointer(buffer), until: deadline)
            }
            if case .success(let read) = result { count = read }
        }
        return try result.get() == 0 ? nil : bytes
    }
}
